#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

struct FactorState;
struct Triangle;

/// What is held fixed of a factor's predictions: with z = R^-T phi,
///
///     f_held = |z|^2 - sum_k (1 - left_k) (d_k . z)^2,
///
/// phi^T H^-1 phi under the condition that the held rows' predictions do not change. In a factor of all columns nothing
/// is left of the directions d_k, which span R^-T rows^T; in one of some columns a part may be.
struct Held {
    RowMatrix rows;        ///< (q, size), as given; none where only some columns are left
    RowMatrix directions;  ///< (n_directions, n): d_k as rows, orthonormal
    Vector left;           ///< of the square along each direction, from 0 to 1
};

/// What a factor of all columns holds when it holds these rows. Rows that agree with a combination of others to 1e-12,
/// and those that see nothing but dropped columns, hold nothing more.
Held held_by(const FactorState& factor, ConstMatrixView rows);

/// The same for phi that vanish outside some columns.
/// @param inverse  QR of these columns of R^-T, with the directions as targets
Held held_within(const Held& held, const Triangle& inverse);

/// f_held, or zero where it is so small a share of f that it is rounding: what is left of a row that is held.
inline double beyond_rounding(double held, double plain) {
    constexpr double smallest_share_left = 1e-26;
    return held <= smallest_share_left * plain ? 0.0 : held;
}

/// f_held of one solved column.
/// @param solved  z; loses all that is along the directions
double square_held(const Held& held, Eigen::Ref<Vector> solved);

}  // namespace lpr_fast
