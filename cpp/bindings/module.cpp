#include "lpr_fast/version.hpp"

#include "register.hpp"

namespace py = pybind11;

// No interpreter lock is needed, in builds of Python that have none. What changes, the accumulator and the trigger, is
// called by one thread at a time (Exclusive). All other classes are immutable to their callers: what they make when it
// is first needed, and the memory that they score in, is behind locks of the core. Outputs are new arrays in every
// call; arrays that come in must not be written to meanwhile, as everywhere in NumPy.
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
    module.doc() = "The C++ core of lpr_fast; use the classes of the package itself.";
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
