#include "lpr_fast/trigger.hpp"

#include "register.hpp"

namespace py = pybind11;

namespace lpr_fast::python {

void register_trigger(py::module_& module) {
    const auto make = [](double threshold, double release, Index n_steps, std::int64_t cool_down, Index max_frames) {
        return Trigger({threshold, release, n_steps, cool_down, max_frames});
    };
    py::class_<Trigger>(module, "Trigger")
        .def(
            py::init(make), py::arg("threshold"), py::arg("release"), py::arg("n_steps"), py::arg("cool_down"),
            py::arg("max_frames")
        )
        .def("update", &Trigger::update, py::arg("step"), py::arg("lowest_lpr"))
        .def_property_readonly("n_fired", &Trigger::n_fired)
        .def_property_readonly("is_exhausted", &Trigger::is_exhausted);
}

}  // namespace lpr_fast::python
