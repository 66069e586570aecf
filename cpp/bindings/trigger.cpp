#include "lpr_fast/trigger.hpp"

#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "exclusive.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace lpr_fast::python {

using SharedTrigger = Exclusive<Trigger>;

namespace {

std::optional<std::string> name_of(TriggerReason reason) {
    switch (reason) {
        case TriggerReason::lpr:
            return "lpr";
        case TriggerReason::percentile:
            return "percentile";
        case TriggerReason::unpinned:
            return "unpinned";
        default:
            return std::nullopt;
    }
}

}  // namespace

void register_trigger(py::module_& module) {
    const auto make = [](double threshold, double release, double percentile, double unpinned_share, Index n_steps,
                         std::int64_t cool_down, Index max_frames) {
        return std::make_unique<SharedTrigger>(
            Trigger({threshold, release, n_steps, cool_down, max_frames, percentile, unpinned_share})
        );
    };
    py::class_<SharedTrigger>(module, "Trigger")
        .def(
            py::init(make), py::arg("threshold"), py::arg("release"), py::arg("percentile"), py::arg("unpinned_share"),
            py::arg("n_steps"), py::arg("cool_down"), py::arg("max_frames")
        )
        .def(
            "update",
            [](SharedTrigger& self, std::int64_t step, double lowest_lpr, double lowest_percentile, double share) {
                return self.exclusively([&](Trigger& trigger) {
                    return name_of(trigger.update(step, {lowest_lpr, lowest_percentile, share}));
                });
            },
            py::arg("step"), py::arg("lowest_lpr"), py::arg("lowest_percentile"), py::arg("unpinned_share")
        )
        .def_property_readonly(
            "n_fired", [](SharedTrigger& self) { return self.exclusively([](auto& t) { return t.n_fired(); }); }
        )
        .def_property_readonly("is_exhausted", [](SharedTrigger& self) {
            return self.exclusively([](auto& t) { return t.is_exhausted(); });
        });
}

}  // namespace lpr_fast::python
