#pragma once

#include <cmath>

#include "rigidity/factor_state.hpp"

namespace lpr_fast {

// Between these limits, numbers are multiplied and inverted without loss, and terms of a sum that underflow are
// negligible.
inline constexpr double smallest_ordinary = 0x1p-960;
inline constexpr double largest_ordinary = 0x1p960;

/// Whether a quadratic form lies between these limits; false for NaN.
inline bool is_ordinary(double form) {
    return form >= smallest_ordinary && form <= largest_ordinary;
}

/// phi^T H^-1 phi = value * 2^exponent, which may be beyond the range of float64.
struct QuadraticForm {
    double value;
    int exponent;

    double lpr() const { return exponent == 0 ? 1.0 / value : std::ldexp(1.0 / value, -exponent); }
    double times(double scale) const {
        if (exponent == 0) return scale * value;
        int exponent_of_scale = 0;
        const double fraction = std::frexp(scale, &exponent_of_scale);
        return std::ldexp(fraction * value, exponent + exponent_of_scale);
    }
};

/// Divides a vector by the power of two of its largest entry, and returns the exponent; 0 for a vector of zeros.
int take_exponent(Eigen::Ref<Vector> vector);

/// phi <- R^-T phi / 2^exponent; returns the exponent. Slow.
/// @param phi  the entries for the columns of the triangle, in their order
int solve_beyond_range(const FactorState& factor, Eigen::Ref<Vector> phi);

/// f and f_held. Both are equal if the factor holds nothing.
struct QuadraticForms {
    QuadraticForm plain;
    QuadraticForm held;
};

/// The forms of a phi whose form is not ordinary, or whose computation leaves that range. Slow.
/// @param phi  the entries for the columns of the triangle, in their order; overwritten
QuadraticForms form_beyond_range(const FactorState& factor, Eigen::Ref<Vector> phi);

}  // namespace lpr_fast
