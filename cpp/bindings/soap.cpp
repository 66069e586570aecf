#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <string>
#include <utility>
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
    const std::array<bool, 3>& periodic, const std::vector<int>& species, double cutoff, const std::string& name,
    std::optional<Index> n_centers
) {
    const ConstMatrixView view = matrix_view(positions, "positions");
    if (view.rows != static_cast<Index>(numbers.size()))
        throw InvalidInput("there are " + std::to_string(numbers.size()) + " atomic numbers for other positions.");
    const WithoutInterpreter no_interpreter;
    const Configuration atoms{view, numbers.data(), n_centers.value_or(view.rows), cell, periodic};
    return {atoms, species, cutoff, name};
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

std::pair<py::array_t<double>, py::array_t<double>> gradient(
    const Soap& soap, const Structure& structure, const py::array& derivatives, int n_threads
) {
    const ConstMatrixView view = matrix_view(derivatives, "derivatives");
    py::array_t<double> forces({structure.n_atoms(), Index{3}}), virial({Index{3}, Index{3}});
    const MatrixView of_atoms(forces.mutable_data(), structure.n_atoms(), 3), of_cell(virial.mutable_data(), 3, 3);
    const WithoutInterpreter no_interpreter;
    soap.gradient(structure, view, of_atoms, of_cell, n_threads);
    return {forces, virial};
}

}  // namespace

void register_soap(py::module_& module) {
    py::class_<Structure>(module, "Structure")
        .def(
            py::init(&make_structure), py::arg("positions"), py::arg("numbers"), py::arg("cell"), py::arg("periodic"),
            py::arg("species"), py::arg("cutoff"), py::arg("name"), py::arg("n_centers") = std::nullopt
        )
        .def_property_readonly("n_atoms", &Structure::n_atoms);
    py::class_<Soap>(module, "Soap")
        .def(
            py::init(&make_soap), py::arg("angular"), py::arg("n_radial"), py::arg("edges"), py::arg("coefficients"),
            py::arg("center"), py::arg("species")
        )
        .def("features", &features, py::arg("structures"), py::arg("n_threads"))
        .def("gradient", &gradient, py::arg("structure"), py::arg("derivatives"), py::arg("n_threads"))
        .def_property_readonly("cutoff", &Soap::cutoff)
        .def_property_readonly("n_features", &Soap::n_features);
}

}  // namespace lpr_fast::python
