#include "lpr_fast/spectrum.hpp"

#include <pybind11/stl.h>

#include <optional>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "exclusive.hpp"
#include "register.hpp"
#include "without_interpreter.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

Spectrum spectrum_of(
    Accumulator& accumulator, const std::optional<py::array>& prior, const std::vector<Index>& columns, int n_threads
) {
    std::optional<ConstMatrixView> prior_view;
    if (prior) prior_view = matrix_view(*prior, "prior");
    return accumulator.exclusively([&](HessianAccumulator& held) {
        return Spectrum(held, prior_view, columns, n_threads);
    });
}

py::array_t<double> eigenvalues(const Spectrum& self) {
    const std::vector<double>& values = self.eigenvalues();
    return py::array_t<double>(static_cast<Index>(values.size()), values.data());
}

std::pair<py::array_t<double>, py::array_t<double>> leave_one_out(
    const Spectrum& self, const py::array& rows, const py::array& targets, const py::array& weights,
    const std::vector<Index>& structures, const py::array& regularizers, int n_threads
) {
    const ConstMatrixView row_view = matrix_view(rows, "rows");
    const ConstVectorView target_view = vector_view(targets, "targets");
    const ConstVectorView weight_view = vector_view(weights, "weights");
    const ConstVectorView regularizer_view = vector_view(regularizers, "regularizers");
    py::array_t<double> residuals({row_view.rows, regularizer_view.size});
    py::array_t<double> left_out({row_view.rows, regularizer_view.size});
    const MatrixView residual_view(residuals.mutable_data(), row_view.rows, regularizer_view.size);
    const MatrixView left_out_view(left_out.mutable_data(), row_view.rows, regularizer_view.size);
    {
        const WithoutInterpreter no_interpreter;
        self.leave_one_out(
            row_view, target_view, weight_view, structures, regularizer_view, residual_view, left_out_view, n_threads
        );
    }
    return {residuals, left_out};
}

}  // namespace

void register_spectrum(py::module_& module) {
    py::class_<Spectrum>(module, "Spectrum")
        .def(py::init(&spectrum_of), py::arg("accumulator"), py::arg("prior"), py::arg("columns"), py::arg("n_threads"))
        .def(
            "leave_one_out", &leave_one_out, py::arg("rows"), py::arg("targets"), py::arg("weights"),
            py::arg("structures"), py::arg("regularizers"), py::arg("n_threads")
        )
        .def(
            "minus_twice_log_evidence", &Spectrum::minus_twice_log_evidence, py::arg("regularizer"),
            py::arg("scale") = std::nullopt, py::call_guard<WithoutInterpreter>()
        )
        .def("misfit", &Spectrum::misfit, py::arg("regularizer"), py::call_guard<WithoutInterpreter>())
        .def_property_readonly("eigenvalues", &eigenvalues)
        .def_property_readonly("n_flat", &Spectrum::n_flat);
}

}  // namespace lpr_fast::python
