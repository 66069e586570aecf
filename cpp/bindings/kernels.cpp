#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "base/sums.hpp"
#include "lpr_fast/cpu_info.hpp"
#include "lpr_fast/kernel_scorer.hpp"
#include "lpr_fast/kernels.hpp"
#include "register.hpp"
#include "without_interpreter.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

py::array_t<double> rows_of_kernels(const py::array& features, const py::array& active, double zeta, int n_threads) {
    const ConstMatrixView feature_view = matrix_view(features, "features");
    const ConstMatrixView active_view = matrix_view(active, "active");
    py::array_t<double> out({feature_view.rows, active_view.rows});
    const MatrixView target(out.mutable_data(), feature_view.rows, active_view.rows);
    const WithoutInterpreter no_interpreter;
    kernel_rows(feature_view, active_view, zeta, target, n_threads);
    return out;
}

KernelScorer make_scorer(
    const py::array& active, double zeta, const HessianFactor& factor, const std::optional<HessianFactor>& prior,
    const std::optional<py::array>& weights
) {
    const ConstMatrixView active_view = matrix_view(active, "active");
    const auto weights_view = optional_view(weights, "weights");
    const WithoutInterpreter no_interpreter;
    return {active_view, zeta, factor, prior, weights_view};
}

std::map<std::string, py::array_t<double>> score(
    const KernelScorer& scorer, const py::array& features, bool forms, bool explained, bool energies, int n_threads
) {
    const ConstMatrixView view = matrix_view(features, "features");
    KernelScores scores;
    std::map<std::string, py::array_t<double>> result;
    const auto wanted = [&](const char* name, bool is_wanted, VectorView& target) {
        if (!is_wanted) return;
        py::array_t<double> out(view.rows);
        target = {out.mutable_data(), view.rows};
        result.emplace(name, out);
    };
    wanted("forms", forms, scores.forms.variance);
    wanted("explained", explained, scores.explained);
    wanted("energies", energies, scores.energies);
    const WithoutInterpreter no_interpreter;
    scorer.score(view, scores, n_threads);
    return result;
}

py::array_t<double> normalised(const py::array& features, int n_threads) {
    const ConstMatrixView view = matrix_view(features, "features");
    py::array_t<double> out({view.rows, view.cols});
    const MatrixView target(out.mutable_data(), view.rows, view.cols);
    const WithoutInterpreter no_interpreter;
    normalised_rows(view, target, n_threads);
    return out;
}

py::array_t<double> column_sums(const py::array& values) {
    const ConstMatrixView view = matrix_view(values, "values");
    py::array_t<double> sums(view.cols);
    for (Index k = 0; k < view.cols; ++k) sums.mutable_at(k) = column_sum(view, k);
    return sums;
}

std::vector<Index> sample(const py::array& points, Index count, Index first, double tolerance, int n_threads) {
    const ConstMatrixView view = matrix_view(points, "points");
    const WithoutInterpreter no_interpreter;
    return farthest_points(view, count, first, tolerance, n_threads);
}

}  // namespace

void register_kernels(py::module_& module) {
    py::class_<KernelScorer>(module, "KernelScorer")
        .def(
            py::init(&make_scorer), py::arg("active"), py::arg("zeta"), py::arg("factor"), py::arg("prior"),
            py::arg("weights")
        )
        .def(
            "score", &score, py::arg("features"), py::arg("forms"), py::arg("explained"), py::arg("energies"),
            py::arg("n_threads")
        );
    module.def("cpu_info", [] {
        const CpuInfo info = cpu_info();
        return std::make_pair(info.instruction_set, info.available);
    });
    module.def(
        "kernel_rows", &rows_of_kernels, py::arg("features"), py::arg("active"), py::arg("zeta"), py::arg("n_threads")
    );
    module.def("column_sums", &column_sums, py::arg("values"));
    module.def("normalised", &normalised, py::arg("features"), py::arg("n_threads"));
    module.def(
        "farthest_points", &sample, py::arg("points"), py::arg("count"), py::arg("first"), py::arg("tolerance"),
        py::arg("n_threads")
    );
}

}  // namespace lpr_fast::python
