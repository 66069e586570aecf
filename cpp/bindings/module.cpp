#include "lpr_fast/version.hpp"

#include "register.hpp"

namespace py = pybind11;

// This module does not need the interpreter lock, for builds of Python without one. Mutable objects (accumulators,
// members, moments, the trigger) are used by one thread at a time (Exclusive). All other classes are immutable for
// callers: locks of the core protect their scratch memory and what they compute on first use. Every call returns new
// arrays. As in NumPy, input arrays must not be changed during a call.
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
    module.doc() = "The C++ core of lpr_fast, for the package itself; use the public classes of lpr_fast.";
    module.attr("__version__") = LPR_FAST_VERSION;
    lpr_fast::python::register_errors(module);
    lpr_fast::python::register_accumulator(module);
    lpr_fast::python::register_factor(module);
    lpr_fast::python::register_kernels(module);
    lpr_fast::python::register_members(module);
    lpr_fast::python::register_model(module);
    lpr_fast::python::register_soap(module);
    lpr_fast::python::register_spectrum(module);
    lpr_fast::python::register_text(module);
    lpr_fast::python::register_trigger(module);
}
