#include "lpr_fast/trigger.hpp"

#include "exclusive.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace lpr_fast::python {

using SharedTrigger = Exclusive<Trigger>;

void register_trigger(py::module_& module) {
    const auto make = [](double threshold, double release, Index n_steps, std::int64_t cool_down, Index max_frames) {
        return std::make_unique<SharedTrigger>(Trigger({threshold, release, n_steps, cool_down, max_frames}));
    };
    py::class_<SharedTrigger>(module, "Trigger")
        .def(
            py::init(make), py::arg("threshold"), py::arg("release"), py::arg("n_steps"), py::arg("cool_down"),
            py::arg("max_frames")
        )
        .def(
            "update",
            [](SharedTrigger& self, std::int64_t step, double lowest_lpr) {
                return self.exclusively([&](Trigger& trigger) { return trigger.update(step, lowest_lpr); });
            },
            py::arg("step"), py::arg("lowest_lpr")
        )
        .def_property_readonly(
            "n_fired", [](SharedTrigger& self) { return self.exclusively([](auto& t) { return t.n_fired(); }); }
        )
        .def_property_readonly("is_exhausted", [](SharedTrigger& self) {
            return self.exclusively([](auto& t) { return t.is_exhausted(); });
        });
}

}  // namespace lpr_fast::python
