#include <mutex>
#include <optional>
#include <utility>

#include "arrays.hpp"
#include "exclusive.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

Method method_named(const std::string& name) {
    if (name == "qr") return Method::qr;
    if (name == "gram") return Method::gram;
    throw InvalidInput("method is '" + name + "'; it must be 'qr' or 'gram'.");
}

void add(
    Accumulator& self, const py::array& rows, const std::optional<py::array>& targets,
    const std::optional<py::array>& weights, int n_threads
) {
    const ConstMatrixView row_view = matrix_view(rows, "rows");
    const auto target_view = optional_view(targets, "targets");
    const auto weight_view = optional_view(weights, "weights");
    self.exclusively([&](HessianAccumulator& accumulator) {
        if (target_view) {
            accumulator.add_labelled(row_view, *target_view, weight_view, n_threads);
        } else {
            accumulator.add(row_view, weight_view, n_threads);
        }
    });
}

void merge(Accumulator& self, Accumulator& other, int n_threads) {
    // One lock at a time, so that two threads that merge in opposite directions cannot deadlock.
    const HessianAccumulator copy = other.exclusively([](HessianAccumulator& accumulator) { return accumulator; });
    self.exclusively([&](HessianAccumulator& accumulator) { accumulator.merge(copy, n_threads); });
}

py::bytes to_bytes(Accumulator& self) {
    const auto bytes = self.exclusively([](HessianAccumulator& accumulator) { return accumulator.to_bytes(); });
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unique_ptr<Accumulator> from_bytes(const py::bytes& bytes) {
    const std::string_view view = bytes;
    return std::make_unique<Accumulator>(
        HessianAccumulator::from_bytes(reinterpret_cast<const std::uint8_t*>(view.data()), view.size())
    );
}

}  // namespace

void register_accumulator(py::module_& module) {
    py::class_<Accumulator>(module, "HessianAccumulator")
        .def(
            py::init([](Index size, const std::string& method, bool labelled) {
                return std::make_unique<Accumulator>(HessianAccumulator(size, method_named(method), labelled));
            }),
            py::arg("size"), py::arg("method"), py::arg("labelled")
        )
        .def("add", &add, py::arg("rows"), py::arg("targets"), py::arg("weights"), py::arg("n_threads"))
        .def("merge", &merge, py::arg("other"), py::arg("n_threads"))
        .def("to_bytes", &to_bytes)
        .def_static("from_bytes", &from_bytes, py::arg("data"))
        .def_property_readonly(
            "size", [](Accumulator& self) { return self.exclusively([](auto& a) { return a.size(); }); }
        )
        .def_property_readonly(
            "n_rows", [](Accumulator& self) { return self.exclusively([](auto& a) { return a.n_rows(); }); }
        )
        .def_property_readonly(
            "leaf_rows", [](Accumulator& self) { return self.exclusively([](auto& a) { return a.leaf_rows(); }); }
        )
        .def_property_readonly(
            "n_weighted", [](Accumulator& self) { return self.exclusively([](auto& a) { return a.n_weighted(); }); }
        )
        .def_property_readonly(
            "sum_log_weights",
            [](Accumulator& self) { return self.exclusively([](auto& a) { return a.sum_log_weights(); }); }
        )
        .def(
            "rest_norm",
            [](Accumulator& self, int n_threads) {
                return self.exclusively([&](auto& a) { return a.rest_norm(n_threads); });
            },
            py::arg("n_threads")
        )
        .def_property_readonly(
            "is_labelled", [](Accumulator& self) { return self.exclusively([](auto& a) { return a.is_labelled(); }); }
        )
        .def_property_readonly("method", [](Accumulator& self) {
            const Method method = self.exclusively([](auto& a) { return a.method(); });
            return method == Method::gram ? "gram" : "qr";
        });
}

}  // namespace lpr_fast::python
