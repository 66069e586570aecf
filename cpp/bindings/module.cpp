#include "lpr_fast/version.hpp"

#include "register.hpp"

PYBIND11_MODULE(_core, module) {
    module.doc() = "The C++ core of lpr_fast; use the classes of the package itself.";
    module.attr("__version__") = LPR_FAST_VERSION;
    lpr_fast::python::register_errors(module);
    lpr_fast::python::register_accumulator(module);
    lpr_fast::python::register_factor(module);
    lpr_fast::python::register_kernels(module);
    lpr_fast::python::register_model(module);
    lpr_fast::python::register_soap(module);
    lpr_fast::python::register_text(module);
    lpr_fast::python::register_trigger(module);
}
