#include "lpr_fast/model.hpp"

#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "model_arrays.hpp"
#include "register.hpp"
#include "without_interpreter.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

using Vector = py::array_t<double>;

struct Content {
    const std::uint8_t* bytes;
    std::size_t size;

    explicit Content(const py::bytes& given) {
        const std::string_view view = given;
        bytes = reinterpret_cast<const std::uint8_t*>(view.data());
        size = view.size();
    }
};

/// Centre species, one for each row of features.
const int* species_of(const py::array& species, Index n_rows) {
    using Species = py::array_t<int, py::array::c_style>;
    if (!py::isinstance<Species>(species) || species.ndim() != 1 || species.shape(0) != n_rows) {
        throw InvalidInput("species must be a C-contiguous int32 array with one number for each row of features.");
    }
    return static_cast<const int*>(species.data());
}

/// A view of a float64 or int64 array, as an array of a model.
ModelArray part_of(const std::string& name, const py::array& array) {
    const bool is_real = py::isinstance<py::array_t<double, py::array::c_style>>(array);
    const bool is_integer = py::isinstance<py::array_t<std::int64_t, py::array::c_style>>(array);
    if ((!is_real && !is_integer) || array.ndim() > 2) {
        throw InvalidInput(
            "the array " + name + " must be a C-contiguous float64 or int64 array with at most 2 dimensions."
        );
    }
    const auto n_extents = static_cast<int>(array.ndim());
    return {
        is_real ? NumberType::f64 : NumberType::i64,     n_extents == 2 ? array.shape(0) : 1,
        n_extents == 0 ? 1 : array.shape(n_extents - 1), n_extents,
        static_cast<const std::uint8_t*>(array.data()),
    };
}

py::dtype type_of(NumberType type) {
    if (type == NumberType::f64) return py::dtype::of<double>();
    if (type == NumberType::i64) return py::dtype::of<std::int64_t>();
    return py::dtype::of<std::uint8_t>();
}

py::array copy_of(const ModelArray& array) {
    std::vector<py::ssize_t> shape;
    if (array.n_extents == 2) shape.push_back(array.rows);
    if (array.n_extents > 0) shape.push_back(array.cols);
    return {type_of(array.type), shape, array.bytes};
}

/// Copies of text and arrays.
std::pair<std::string, std::map<std::string, py::array>> copy_of(const ModelParts& parts) {
    std::map<std::string, py::array> arrays;
    for (const auto& [name, array] : parts.arrays) arrays.emplace(name, copy_of(array));
    return {parts.text, std::move(arrays)};
}

std::pair<std::string, std::map<std::string, py::array>> read_parts(const py::bytes& given, const std::string& name) {
    const Content content(given);
    const ModelParts parts = [&] {
        const WithoutInterpreter no_interpreter;
        return read_model_parts(content.bytes, content.size, name);
    }();
    return copy_of(parts);
}

Model model_from_bytes(const py::bytes& given, const std::string& name) {
    const Content content(given);
    const WithoutInterpreter no_interpreter;
    return Model::from_bytes(content.bytes, content.size, name);
}

Model from_parts(const std::string& text, const std::map<std::string, py::array>& arrays) {
    ModelParts parts;
    parts.text = text;
    for (const auto& [name, array] : arrays) parts.arrays.emplace(name, part_of(name, array));
    const WithoutInterpreter no_interpreter;
    return Model::from_parts(parts);
}

ScoreArrays score_rows(
    const Model& self, const py::array& features, const py::array& species, int n_threads, bool members
) {
    const ConstMatrixView rows = matrix_view(features, "features");
    const int* of_rows = species_of(species, rows.rows);
    auto [arrays, scores] = room_for_scores(self, rows.rows, members);
    const WithoutInterpreter no_interpreter;
    self.score(rows, of_rows, scores, n_threads);
    return std::move(arrays);
}

Vector member_energies(const Model& self, const py::array& features, const py::array& species, int n_threads) {
    const ConstMatrixView rows = matrix_view(features, "features");
    const int* of_rows = species_of(species, rows.rows);
    Scores scores;
    auto [array, view] = room_for_members(self, rows.rows);
    scores.member_energies = view;
    const WithoutInterpreter no_interpreter;
    self.score(rows, of_rows, scores, n_threads);
    return std::move(array);
}

Vector phi(const Model& self, const py::array& features, const py::array& species, int n_threads) {
    const ConstMatrixView rows = matrix_view(features, "features");
    const int* of_rows = species_of(species, rows.rows);
    Vector out({rows.rows, self.info().size});
    const MatrixView target(out.mutable_data(), rows.rows, self.info().size);
    const WithoutInterpreter no_interpreter;
    self.phi(rows, of_rows, target, n_threads);
    return out;
}

std::optional<Vector> weights(const Model& self) {
    const ConstVectorView view = self.weights();
    if (view.data == nullptr) return std::nullopt;
    return Vector(view.size, view.data);
}

std::optional<Vector> present(ConstMatrixView view) {
    if (view.data == nullptr) return std::nullopt;
    return Vector({view.rows, view.cols}, view.data);
}

}  // namespace

void register_model(py::module_& module) {
    py::class_<Model>(module, "Model")
        .def_static("from_bytes", &model_from_bytes, py::arg("content"), py::arg("name"))
        .def_static("from_parts", &from_parts, py::arg("text"), py::arg("arrays"))
        .def("parts", [](const Model& self) { return copy_of(self.parts()); })
        .def(
            "score", &score_rows, py::arg("features"), py::arg("species"), py::arg("n_threads"),
            py::arg("members") = false
        )
        .def("member_energies", &member_energies, py::arg("features"), py::arg("species"), py::arg("n_threads"))
        .def("phi", &phi, py::arg("features"), py::arg("species"), py::arg("n_threads"))
        .def_property_readonly("text", [](const Model& self) { return self.parts().text; })
        .def_property_readonly("size", [](const Model& self) { return self.info().size; })
        .def_property_readonly("factor", [](const Model& self) { return self.factor(); })
        .def_property_readonly("weights", &weights)
        .def_property_readonly("n_members", [](const Model& self) { return self.info().n_members; })
        .def_property_readonly("members", [](const Model& self) { return present(self.members()); })
        .def_property_readonly("active", [](const Model& self) { return present(self.active()); });
    module.def("read_parts", &read_parts, py::arg("content"), py::arg("name"));
}

}  // namespace lpr_fast::python
