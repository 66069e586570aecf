#pragma once

#include <cmath>

#include "rigidity/factor_state.hpp"

namespace lpr_fast {

// Between these a number is squared, multiplied and inverted without loss, and what underflows beside it is nothing.
inline constexpr double smallest_ordinary = 0x1p-960;
inline constexpr double largest_ordinary = 0x1p960;

/// Not so for NaN.
inline bool is_ordinary(double form) {
    return form >= smallest_ordinary && form <= largest_ordinary;
}

/// phi^T H^-1 phi = value * 2^exponent, which may be a number that float64 does not hold.
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

/// Divides by the power of two next to the largest entry, and returns its exponent; zeros stay, with exponent zero.
int take_exponent(Eigen::Ref<Vector> vector);

/// phi <- R^-T phi over a power of two, of which the exponent is returned. Slow.
/// @param phi  the entries that the triangle stands for, in that order
int solve_beyond_range(const FactorState& factor, Eigen::Ref<Vector> phi);

/// f, and f_held where something is held.
struct QuadraticForms {
    QuadraticForm plain;
    QuadraticForm held;
};

/// For a phi whose form is not ordinary, or leaves that range on the way. Slow.
/// @param phi  its columns that the triangle stands for, in that order; destroyed
QuadraticForms form_beyond_range(const FactorState& factor, Eigen::Ref<Vector> phi);

}  // namespace lpr_fast
