#pragma once

#include <pybind11/pybind11.h>

namespace lpr_fast::python {

void register_errors(pybind11::module_& module);
void register_accumulator(pybind11::module_& module);
void register_factor(pybind11::module_& module);
void register_kernels(pybind11::module_& module);
void register_soap(pybind11::module_& module);
void register_spectrum(pybind11::module_& module);
void register_members(pybind11::module_& module);
void register_model(pybind11::module_& module);
void register_text(pybind11::module_& module);
void register_trigger(pybind11::module_& module);

}  // namespace lpr_fast::python
