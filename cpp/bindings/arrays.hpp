#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <string>

#include "lpr_fast/error.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast::python {

/// @throws InvalidInput  unless the array is float64 and C-contiguous; the Python package converts arrays before
inline void check_array(const pybind11::array& array, pybind11::ssize_t n_dimensions, const char* name) {
    const bool fits = pybind11::isinstance<pybind11::array_t<double, pybind11::array::c_style>>(array);
    if (!fits || array.ndim() != n_dimensions) {
        throw InvalidInput(
            std::string(name) + " must be a C-contiguous float64 array with " + std::to_string(n_dimensions) +
            " dimensions."
        );
    }
}

inline ConstMatrixView matrix_view(const pybind11::array& array, const char* name) {
    check_array(array, 2, name);
    return {static_cast<const double*>(array.data()), array.shape(0), array.shape(1), array.shape(1)};
}

inline ConstVectorView vector_view(const pybind11::array& array, const char* name) {
    check_array(array, 1, name);
    return {static_cast<const double*>(array.data()), array.shape(0)};
}

inline std::optional<ConstVectorView> optional_view(const std::optional<pybind11::array>& array, const char* name) {
    if (!array) return std::nullopt;
    return vector_view(*array, name);
}

}  // namespace lpr_fast::python
