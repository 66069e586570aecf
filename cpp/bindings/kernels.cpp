#include <pybind11/stl.h>

#include <vector>

#include "arrays.hpp"
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

std::vector<Index> sample(const py::array& points, Index count, Index first, double tolerance, int n_threads) {
    const ConstMatrixView view = matrix_view(points, "points");
    const WithoutInterpreter no_interpreter;
    return farthest_points(view, count, first, tolerance, n_threads);
}

}  // namespace

void register_kernels(py::module_& module) {
    module.def(
        "kernel_rows", &rows_of_kernels, py::arg("features"), py::arg("active"), py::arg("zeta"), py::arg("n_threads")
    );
    module.def(
        "farthest_points", &sample, py::arg("points"), py::arg("count"), py::arg("first"), py::arg("tolerance"),
        py::arg("n_threads")
    );
}

}  // namespace lpr_fast::python
