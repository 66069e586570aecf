#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

struct FactorState;
struct Triangle;

/// Held predictions of a factor. With z = R^-T phi,
///
///     f_held = |z|^2 - sum_k (1 - left_k) (d_k . z)^2
///
/// is phi^T H^-1 phi under the constraint that the predictions of the held rows stay fixed. In a factor of all columns,
/// the directions d_k span R^-T rows^T and left_k = 0. In a restricted factor, left_k may be larger.
struct Held {
    RowMatrix rows;        ///< (q, size) held rows, as given; none in a restricted factor
    RowMatrix directions;  ///< (n_directions, n): d_k as rows, orthonormal
    Vector left;           ///< (n_directions,) left_k, from 0 to 1
};

/// Held predictions of a factor of all columns. A row that depends on others to within 1e-12, or vanishes outside
/// dropped columns, adds no direction.
Held held_by(const FactorState& factor, ConstMatrixView rows);

/// Held predictions of a factor restricted to some columns.
/// @param inverse  QR of these columns of R^-T, with the directions as targets
Held held_within(const Held& held, const Triangle& inverse);

/// f_held, or zero if its share of f is so small that it is a rounding error: then phi is a held row.
inline double beyond_rounding(double held, double plain) {
    constexpr double smallest_share_left = 1e-26;
    return held <= smallest_share_left * plain ? 0.0 : held;
}

/// Computes f_held of one column.
/// @param solved  z; its components along the directions are removed
double square_held(const Held& held, Eigen::Ref<Vector> solved);

}  // namespace lpr_fast
