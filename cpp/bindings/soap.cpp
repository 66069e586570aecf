#include "lpr_fast/soap.hpp"

#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "lpr_fast/gradient_rows.hpp"
#include "lpr_fast/soap_scorer.hpp"
#include "model_arrays.hpp"
#include "register.hpp"
#include "without_interpreter.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

/// The chosen centers of each structure: None for all, a tuple for a range of Structure::order(), or an array of atoms.
using Chosen = std::vector<py::object>;

/// Parts of structures, and the lists of atoms that they point to.
struct Parts {
    std::vector<Part> parts;
    std::vector<std::vector<Index>> atoms;
    Index n_rows = 0;
};

template <typename Number>
std::vector<Number> copied(const py::array& array) {
    const auto plain = py::array_t<Number, py::array::c_style | py::array::forcecast>::ensure(array);
    return {plain.data(), plain.data() + plain.size()};
}

Structure make_structure(
    const py::array& positions, const py::array_t<int, py::array::c_style>& numbers,
    const py::array_t<double, py::array::c_style>& cell, const py::array_t<bool, py::array::c_style>& periodic,
    const std::vector<int>& species, double cutoff, const std::string& name, std::optional<Index> n_centers
) {
    const ConstMatrixView view = matrix_view(positions, "positions");
    if (numbers.size() != view.rows || cell.size() != 9 || periodic.size() != 3)
        throw InvalidInput(
            "numbers, cell or periodic has a wrong size; give n atomic numbers for positions (n, 3), a cell (3, 3) and "
            "3 "
            "flags of periodicity."
        );
    Configuration atoms{view, numbers.data(), n_centers.value_or(view.rows), {}, {}};
    std::copy_n(cell.data(), 9, atoms.cell.begin());
    std::copy_n(periodic.data(), 3, atoms.periodic.begin());
    const WithoutInterpreter no_interpreter;
    return {atoms, species, cutoff, name};
}

Soap make_soap(
    std::vector<Index> angular, std::vector<Index> n_radial, const py::array& edges, const py::array& coefficients,
    const py::array& center, std::vector<int> species
) {
    return {
        {std::move(angular), std::move(n_radial), copied<double>(edges), copied<double>(coefficients),
         copied<double>(center)},
        std::move(species)
    };
}

Parts parts_of(const std::vector<Structure>& structures, const Chosen& chosen) {
    if (chosen.size() != structures.size()) {
        throw InvalidInput(
            "chosen has " + std::to_string(chosen.size()) + " entries for " + std::to_string(structures.size()) +
            " structures; give one entry for each structure."
        );
    }
    Parts found;
    found.atoms.resize(structures.size());
    for (std::size_t i = 0; i < structures.size(); ++i) {
        Part part{&structures[i]};
        Index n = structures[i].n_centers();
        if (py::isinstance<py::tuple>(chosen[i])) {
            std::tie(part.first, part.last) = chosen[i].cast<std::pair<Index, Index>>();
            n = part.last - part.first;
        } else if (!chosen[i].is_none()) {
            found.atoms[i] = copied<Index>(chosen[i].cast<py::array>());
            part.atoms = &found.atoms[i];
            n = static_cast<Index>(found.atoms[i].size());
        }
        found.parts.push_back(part);
        found.n_rows += n;
    }
    return found;
}

py::array_t<double> features(
    const Soap& soap, const std::vector<Structure>& structures, const Chosen& chosen, int n_threads
) {
    const Parts wanted = parts_of(structures, chosen);
    py::array_t<double> out({wanted.n_rows, soap.n_features()});
    const MatrixView target(out.mutable_data(), wanted.n_rows, soap.n_features());
    const WithoutInterpreter no_interpreter;
    soap.features(wanted.parts, target, n_threads);
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

using RowArrays = std::pair<py::array_t<double>, py::array_t<double>>;

/// Rows of forces of `atoms` (None: all atoms) and, if asked for, of virials.
/// @param make  writes the rows
template <typename Make>
RowArrays gradient_rows(
    const Structure& structure, Index n_columns, const std::optional<py::array>& atoms, bool virials, const Make& make
) {
    const std::vector<Index> chosen = atoms ? copied<Index>(*atoms) : std::vector<Index>{};
    const Index n_rows = 3 * (atoms ? static_cast<Index>(chosen.size()) : structure.n_atoms());
    const Index n_virials = virials ? 6 : 0;
    RowArrays arrays{py::array_t<double>({n_rows, n_columns}), py::array_t<double>({n_virials, n_columns})};
    GradientRows out;
    if (n_rows > 0) out.forces = {arrays.first.mutable_data(), n_rows, n_columns};
    if (virials) out.virials = {arrays.second.mutable_data(), n_virials, n_columns};
    if (atoms) out.atoms = &chosen;
    const WithoutInterpreter no_interpreter;
    make(out);
    return arrays;
}

KernelGradients make_kernel_gradients(
    const Soap& soap, const py::array& active, const std::vector<Index>& first, double zeta
) {
    const ConstMatrixView view = matrix_view(active, "active");
    const WithoutInterpreter no_interpreter;
    return {soap, view, first, zeta};
}

RowArrays rows_of_structure(
    const KernelGradients& gradients, const Structure& structure, const std::optional<py::array>& atoms, bool virials,
    int n_threads
) {
    return gradient_rows(structure, gradients.size(), atoms, virials, [&](const GradientRows& out) {
        gradients.rows(structure, out, n_threads);
    });
}

RowArrays rows_of_features(
    const Soap& soap, const Structure& structure, const std::optional<py::array>& atoms, bool virials, int n_threads
) {
    const Index n_columns = static_cast<Index>(soap.species().size()) * soap.n_features();
    return gradient_rows(structure, n_columns, atoms, virials, [&](const GradientRows& out) {
        feature_gradients(soap, structure, out, n_threads);
    });
}

std::pair<py::array_t<Index>, py::array_t<double>> jacobians_around(
    const Soap& soap, const Structure& structure, Index atom
) {
    FeatureJacobians found;
    {
        const WithoutInterpreter no_interpreter;
        found = feature_jacobians(soap, structure, atom);
    }
    const auto n = static_cast<py::ssize_t>(found.centers.size());
    return {
        py::array_t<Index>(n, found.centers.data()),
        py::array_t<double>({n, py::ssize_t{3}, soap.n_features()}, found.values.data())
    };
}

ScoreArrays score_structures(
    const SoapScorer& scorer, const std::vector<Structure>& structures, const Chosen& chosen, bool mark_unknown,
    int n_threads, bool members
) {
    const Parts wanted = parts_of(structures, chosen);
    auto [arrays, scores] = room_for_scores(scorer.model(), wanted.n_rows, members);
    const WithoutInterpreter no_interpreter;
    scorer.score(wanted.parts, scores, mark_unknown ? UnknownSpecies::mark : UnknownSpecies::refuse, n_threads);
    return std::move(arrays);
}

/// All centers of a structure, or the chosen atoms.
struct OnePart {
    Part part;
    std::vector<Index> atoms;
    Index n_rows;

    OnePart(const Structure& structure, const std::optional<py::array>& chosen)
        : part{&structure}, n_rows(structure.n_centers()) {
        if (!chosen) return;
        atoms = copied<Index>(*chosen);
        part.atoms = &atoms;
        n_rows = static_cast<Index>(atoms.size());
    }
    OnePart(const OnePart&) = delete;
    OnePart& operator=(const OnePart&) = delete;
};

ScoreArrays predict(
    const SoapScorer& scorer, const Structure& structure, const std::optional<py::array>& weights, int n_threads,
    const std::optional<py::array>& chosen, bool forces, bool baseline
) {
    const OnePart wanted(structure, chosen);
    std::optional<ConstMatrixView> vectors;
    if (weights) vectors = matrix_view(*weights, "weights");
    const Index n_vectors = vectors ? vectors->rows : 1, n_atoms = structure.n_atoms();
    py::array_t<double> energies({wanted.n_rows, n_vectors});
    ScoreArrays arrays{{"energies", energies}};
    Predictions out{{energies.mutable_data(), wanted.n_rows, n_vectors}};
    out.with_baseline = baseline;
    if (forces) {
        py::array_t<double> of_atoms({n_vectors, n_atoms, Index{3}}), of_cell({n_vectors, Index{3}, Index{3}});
        out.forces = {of_atoms.mutable_data(), n_vectors * n_atoms, 3};
        out.virials = {of_cell.mutable_data(), 3 * n_vectors, 3};
        arrays.emplace("forces", of_atoms);
        arrays.emplace("virials", of_cell);
    }
    const WithoutInterpreter no_interpreter;
    scorer.predict(wanted.part, vectors, out, n_threads);
    return arrays;
}

Quantity quantity_of(const std::string& name) {
    if (name == "lpr") return Quantity::lpr;
    if (name == "lpr_held") return Quantity::lpr_held;
    if (name == "variance") return Quantity::variance;
    if (name == "residual") return Quantity::residual;
    throw InvalidInput(
        "the gradient of '" + name + "' was asked for; ask for that of lpr, lpr_held, variance or residual."
    );
}

py::typing::Dict<py::str, py::object> score_gradient(
    const SoapScorer& scorer, const Structure& structure, const std::string& quantity,
    const std::optional<py::array>& coefficients, std::optional<double> power, int n_threads,
    const std::optional<py::array>& chosen
) {
    const OnePart wanted(structure, chosen);
    const ScoreSum sum{quantity_of(quantity), optional_view(coefficients, "coefficients"), power};
    py::array_t<double> values(wanted.n_rows), forces({structure.n_atoms(), Index{3}}), virial({Index{3}, Index{3}});
    const ScoreGradient out{
        {values.mutable_data(), wanted.n_rows},
        {forces.mutable_data(), structure.n_atoms(), 3},
        {virial.mutable_data(), 3, 3}
    };
    double value = 0.0;
    {
        const WithoutInterpreter no_interpreter;
        value = scorer.score_gradient(wanted.part, sum, out, n_threads);
    }
    return py::dict(
        py::arg("values") = values, py::arg("value") = value, py::arg("forces") = forces, py::arg("virial") = virial
    );
}

py::array_t<Index> order(const Structure& structure) {
    const std::vector<Index> atoms = structure.order();
    return py::array_t<Index>(static_cast<py::ssize_t>(atoms.size()), atoms.data());
}

/// Atoms within the cutoff of an atom, and the vectors to them.
std::pair<py::array_t<Index>, py::array_t<double>> around(const Structure& structure, Index atom) {
    std::vector<Index> atoms;
    std::vector<double> vectors;
    {
        const WithoutInterpreter no_interpreter;
        for (const Neighbour& neighbour : structure.neighbours(atom)) {
            atoms.push_back(neighbour.atom);
            vectors.insert(vectors.end(), neighbour.vector.begin(), neighbour.vector.end());
        }
    }
    const auto n = static_cast<py::ssize_t>(atoms.size());
    return {py::array_t<Index>(n, atoms.data()), py::array_t<double>({n, py::ssize_t{3}}, vectors.data())};
}

}  // namespace

void register_soap(py::module_& module) {
    py::class_<Structure>(module, "Structure")
        .def(
            py::init(&make_structure), py::arg("positions"), py::arg("numbers"), py::arg("cell"), py::arg("periodic"),
            py::arg("species"), py::arg("cutoff"), py::arg("name"), py::arg("n_centers") = std::nullopt
        )
        .def("order", &order)
        .def("neighbours", &around, py::arg("atom"))
        .def("__len__", &Structure::n_atoms);
    py::class_<Soap>(module, "Soap")
        .def(
            py::init(&make_soap), py::arg("angular"), py::arg("n_radial"), py::arg("edges"), py::arg("coefficients"),
            py::arg("center"), py::arg("species")
        )
        .def("features", &features, py::arg("structures"), py::arg("chosen"), py::arg("n_threads"))
        .def("gradient", &gradient, py::arg("structure"), py::arg("derivatives"), py::arg("n_threads"))
        .def_property_readonly("cutoff", &Soap::cutoff)
        .def_property_readonly("n_features", &Soap::n_features);
    py::class_<KernelGradients>(module, "KernelGradients")
        .def(py::init(&make_kernel_gradients), py::arg("soap"), py::arg("active"), py::arg("first"), py::arg("zeta"))
        .def(
            "rows", &rows_of_structure, py::arg("structure"), py::arg("atoms"), py::arg("virials"), py::arg("n_threads")
        );
    module.def(
        "feature_gradients", &rows_of_features, py::arg("soap"), py::arg("structure"), py::arg("atoms"),
        py::arg("virials"), py::arg("n_threads")
    );
    module.def("feature_jacobians", &jacobians_around, py::arg("soap"), py::arg("structure"), py::arg("atom"));
    py::class_<SoapScorer>(module, "SoapScorer")
        .def(py::init<Model>(), py::arg("model"))
        .def(
            "score", &score_structures, py::arg("structures"), py::arg("chosen"), py::arg("mark_unknown"),
            py::arg("n_threads"), py::arg("members") = false
        )
        .def(
            "predict", &predict, py::arg("structure"), py::arg("weights"), py::arg("n_threads"),
            py::arg("chosen") = std::nullopt, py::arg("forces") = true, py::arg("baseline") = false
        )
        .def(
            "score_gradient", &score_gradient, py::arg("structure"), py::arg("quantity"), py::arg("coefficients"),
            py::arg("power"), py::arg("n_threads"), py::arg("chosen") = std::nullopt
        )
        .def_property_readonly("soap", [](const SoapScorer& self) { return self.soap(); });
}

}  // namespace lpr_fast::python
