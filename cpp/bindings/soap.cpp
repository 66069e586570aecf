#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "lpr_fast/soap.hpp"
#include "register.hpp"
#include "without_interpreter.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

Structure make_structure(
    const py::array& positions, const std::vector<int>& numbers, const std::array<double, 9>& cell,
    const std::array<bool, 3>& periodic, const std::vector<int>& species, double cutoff, const std::string& name
) {
    const ConstMatrixView view = matrix_view(positions, "positions");
    if (view.rows != static_cast<Index>(numbers.size()))
        throw InvalidInput("there are " + std::to_string(numbers.size()) + " atomic numbers for other positions.");
    const WithoutInterpreter no_interpreter;
    return {Configuration{view, numbers.data(), view.rows, cell, periodic}, species, cutoff, name};
}

Soap make_soap(
    std::vector<Index> angular, std::vector<Index> n_radial, std::vector<double> edges,
    std::vector<double> coefficients, std::vector<double> center, std::vector<int> species
) {
    return {
        {std::move(angular), std::move(n_radial), std::move(edges), std::move(coefficients), std::move(center)},
        std::move(species)
    };
}

py::array_t<double> features(const Soap& soap, const std::vector<Structure>& structures, int n_threads) {
    std::vector<Part> parts;
    Index n_rows = 0;
    for (const Structure& structure : structures) {
        parts.push_back({&structure});
        n_rows += structure.n_centers();
    }
    py::array_t<double> out({n_rows, soap.n_features()});
    const MatrixView target(out.mutable_data(), n_rows, soap.n_features());
    const WithoutInterpreter no_interpreter;
    soap.features(parts, target, n_threads);
    return out;
}

}  // namespace

void register_soap(py::module_& module) {
    py::class_<Structure>(module, "Structure")
        .def(
            py::init(&make_structure), py::arg("positions"), py::arg("numbers"), py::arg("cell"), py::arg("periodic"),
            py::arg("species"), py::arg("cutoff"), py::arg("name")
        )
        .def_property_readonly("n_atoms", &Structure::n_atoms);
    py::class_<Soap>(module, "Soap")
        .def(
            py::init(&make_soap), py::arg("angular"), py::arg("n_radial"), py::arg("edges"), py::arg("coefficients"),
            py::arg("center"), py::arg("species")
        )
        .def("features", &features, py::arg("structures"), py::arg("n_threads"))
        .def_property_readonly("cutoff", &Soap::cutoff)
        .def_property_readonly("n_features", &Soap::n_features);
}

}  // namespace lpr_fast::python
