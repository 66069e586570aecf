#include <pybind11/stl.h>

#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "exclusive.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/second_moments.hpp"
#include "register.hpp"
#include "without_interpreter.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

std::pair<HessianFactor, py::array_t<double>> fit_accumulator(
    Accumulator& accumulator, double regularizer, const std::optional<py::array>& prior, int n_threads
) {
    std::optional<ConstMatrixView> prior_view;
    if (prior) prior_view = matrix_view(*prior, "prior");
    const Fit fitted = accumulator.exclusively([&](HessianAccumulator& held) {
        return fit(held, regularizer, prior_view, n_threads);
    });
    const auto n_weights = static_cast<Index>(fitted.weights.size());
    return {fitted.factor, py::array_t<double>(n_weights, fitted.weights.data())};
}

HessianFactor factorize_kernels(const py::array& prior, int n_threads) {
    const ConstMatrixView view = matrix_view(prior, "prior");
    const WithoutInterpreter no_interpreter;
    return factorize_prior(view, n_threads);
}

HessianFactor factorize_dense(const py::array& hessian, double regularizer, int n_threads) {
    const ConstMatrixView view = matrix_view(hessian, "hessian");
    const WithoutInterpreter no_interpreter;
    return factorize_hessian(view, regularizer, n_threads);
}

HessianFactor from_triangle(
    Index size, std::vector<Index> columns, const py::array& triangle, double condition_number, double error_estimate
) {
    const ConstMatrixView view = matrix_view(triangle, "triangle");
    const WithoutInterpreter no_interpreter;
    return HessianFactor::from_triangle(size, std::move(columns), view, condition_number, error_estimate);
}

/// One score of each row of phi. `into` makes the FormScores that writes this score to a view.
template <typename ScoresInto>
py::array_t<double> scored(const HessianFactor& self, const py::array& phi, int n_threads, const ScoresInto& into) {
    const ConstMatrixView view = matrix_view(phi, "phi");
    py::array_t<double> out(view.rows);
    const FormScores scores = into(VectorView{out.mutable_data(), view.rows});
    const WithoutInterpreter no_interpreter;
    self.score(view, scores, n_threads);
    return out;
}

py::array_t<double> lpr(const HessianFactor& self, const py::array& phi, int n_threads) {
    return scored(self, phi, n_threads, [](VectorView out) { return FormScores{out}; });
}

py::array_t<double> lpr_held(const HessianFactor& self, const py::array& phi, int n_threads) {
    return scored(self, phi, n_threads, [](VectorView out) { return FormScores{{}, {}, out}; });
}

py::array_t<double> variance(const HessianFactor& self, const py::array& phi, double scale, int n_threads) {
    return scored(self, phi, n_threads, [&](VectorView out) { return FormScores{{}, out, {}, scale}; });
}

py::array_t<double> covariance(
    const HessianFactor& self, const py::array& phi_a, const py::array& phi_b, double scale, int n_threads
) {
    const ConstMatrixView view_a = matrix_view(phi_a, "phi_a");
    const ConstMatrixView view_b = matrix_view(phi_b, "phi_b");
    py::array_t<double> out({view_a.rows, view_b.rows});
    const MatrixView target(out.mutable_data(), view_a.rows, view_b.rows);
    const WithoutInterpreter no_interpreter;
    self.covariance(view_a, view_b, scale, target, n_threads);
    return out;
}

using Whitening = void (HessianFactor::*)(ConstMatrixView, MatrixView, int) const;

template <Whitening whitening>
py::array_t<double> whitened(const HessianFactor& self, const py::array& phi, int n_threads) {
    const ConstMatrixView view = matrix_view(phi, "phi");
    const Index n_columns = self.triangle().cols;
    py::array_t<double> out({view.rows, n_columns});
    const MatrixView target(out.mutable_data(), view.rows, n_columns);
    const WithoutInterpreter no_interpreter;
    (self.*whitening)(view, target, n_threads);
    return out;
}

using Moments = Exclusive<SecondMoments>;

void add_moments(Moments& self, const py::array& phi, const std::optional<py::array>& weights, int n_threads) {
    const ConstMatrixView view = matrix_view(phi, "phi");
    const auto weight_view = optional_view(weights, "weights");
    self.exclusively([&](SecondMoments& moments) { moments.add(view, weight_view, n_threads); });
}

py::array_t<double> sum_of_moments(Moments& self, int n_threads) {
    const Index size = self.exclusively([](SecondMoments& moments) { return moments.size(); });
    py::array_t<double> out({size, size});
    const MatrixView target(out.mutable_data(), size, size);
    self.exclusively([&](SecondMoments& moments) { moments.sum(target, n_threads); });
    return out;
}

HessianFactor updated(
    const HessianFactor& self, const py::array& rows, const std::optional<py::array>& weights, int n_threads
) {
    const ConstMatrixView row_view = matrix_view(rows, "rows");
    const auto weight_view = optional_view(weights, "weights");
    const WithoutInterpreter no_interpreter;
    return self.updated(row_view, weight_view, n_threads);
}

HessianFactor updated_by(const HessianFactor& self, Accumulator& rows, int n_threads) {
    return rows.exclusively([&](const HessianAccumulator& held) { return self.updated(held, n_threads); });
}

HessianFactor holding(const HessianFactor& self, const py::array& rows) {
    const ConstMatrixView view = matrix_view(rows, "rows");
    const WithoutInterpreter no_interpreter;
    return self.holding(view);
}

py::array_t<double> copy_of(ConstMatrixView view) {
    return py::array_t<double>({view.rows, view.cols}, view.data);
}

/// HeldParts as (rows, directions, left), or None if no predictions are held.
std::optional<std::tuple<py::array_t<double>, py::array_t<double>, py::array_t<double>>> held(
    const HessianFactor& self
) {
    if (!self.holds()) return std::nullopt;
    const HeldParts parts = self.held();
    return std::tuple{
        copy_of(parts.rows), copy_of(parts.directions), py::array_t<double>(parts.left.size, parts.left.data)
    };
}

HessianFactor with_held(
    const HessianFactor& self, const py::array& rows, const py::array& directions, const py::array& left
) {
    const HeldParts parts{matrix_view(rows, "rows"), matrix_view(directions, "directions"), vector_view(left, "left")};
    const WithoutInterpreter no_interpreter;
    return self.with_held(parts);
}

py::array_t<double> triangle(const HessianFactor& self) {
    return copy_of(self.triangle());
}

}  // namespace

void register_factor(py::module_& module) {
    py::class_<HessianFactor>(module, "HessianFactor")
        .def_static(
            "from_triangle", &from_triangle, py::arg("size"), py::arg("columns"), py::arg("triangle"),
            py::arg("condition_number"), py::arg("error_estimate")
        )
        .def("lpr", &lpr, py::arg("phi"), py::arg("n_threads"))
        .def("variance", &variance, py::arg("phi"), py::arg("scale"), py::arg("n_threads"))
        .def("lpr_held", &lpr_held, py::arg("phi"), py::arg("n_threads"))
        .def("holding", &holding, py::arg("rows"))
        .def("held", &held)
        .def("with_held", &with_held, py::arg("rows"), py::arg("directions"), py::arg("left"))
        .def("covariance", &covariance, py::arg("phi_a"), py::arg("phi_b"), py::arg("scale"), py::arg("n_threads"))
        .def("whitened", &whitened<&HessianFactor::whitened>, py::arg("phi"), py::arg("n_threads"))
        .def("whitened_held", &whitened<&HessianFactor::whitened_held>, py::arg("phi"), py::arg("n_threads"))
        .def(
            "restrict_to", &HessianFactor::restrict_to, py::arg("columns"), py::arg("n_threads"),
            py::call_guard<WithoutInterpreter>()
        )
        .def("updated", &updated, py::arg("rows"), py::arg("weights"), py::arg("n_threads"))
        .def("updated_by", &updated_by, py::arg("rows"), py::arg("n_threads"))
        .def("triangle", &triangle)
        .def_property_readonly("size", &HessianFactor::size)
        .def_property_readonly("columns", [](const HessianFactor& self) { return self.columns(); })
        .def_property_readonly("n_dropped", &HessianFactor::n_dropped)
        .def_property_readonly("condition_number", &HessianFactor::condition_number)
        .def_property_readonly("error_estimate", &HessianFactor::error_estimate);
    py::class_<Moments>(module, "SecondMoments")
        .def(
            py::init([](const HessianFactor& factor, bool held) {
                return std::make_unique<Moments>(SecondMoments(factor, held ? Freedom::held : Freedom::whole));
            }),
            py::arg("factor"), py::arg("held")
        )
        .def("add", &add_moments, py::arg("phi"), py::arg("weights"), py::arg("n_threads"))
        .def("sum", &sum_of_moments, py::arg("n_threads"))
        .def_property_readonly("n_rows", [](Moments& self) {
            return self.exclusively([](SecondMoments& moments) { return moments.n_rows(); });
        });
    module.def(
        "fit", &fit_accumulator, py::arg("accumulator"), py::arg("regularizer"), py::arg("prior"), py::arg("n_threads")
    );
    module.def("factorize_prior", &factorize_kernels, py::arg("prior"), py::arg("n_threads"));
    module.def("factorize_hessian", &factorize_dense, py::arg("hessian"), py::arg("regularizer"), py::arg("n_threads"));
}

}  // namespace lpr_fast::python
