#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "checks.hpp"
#include "linear_algebra.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/kernels.hpp"
#include "parallel.hpp"

namespace lpr_fast {
namespace {

// A multiple of the columns that a product takes at a time, so that every row goes through the same instructions.
constexpr Index tile_rows = 64;

// Scalar products of normalised features that are this far below zero are no rounding.
constexpr double negative_rounding = -1e-10;

// Powers up to this are products, larger ones are left to std::pow.
constexpr double largest_product = 64.0;

bool is_product(double zeta) {
    return zeta == std::floor(zeta) && zeta <= largest_product;
}

/// base^exponent, element by element, by repeated squaring.
void raise_to_integer(Eigen::Ref<Matrix> base, int exponent) {
    if (exponent == 1) return;
    Matrix square = base;
    bool is_started = false;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2 == 1) {
            if (is_started) {
                base.array() *= square.array();
            } else {
                base = square;
            }
            is_started = true;
        }
        if (exponent > 1) square.array() *= square.array();
    }
}

void raise_to_real(Eigen::Ref<Matrix> base, double exponent) {
    const bool is_integer = exponent == std::floor(exponent);
    for (Index j = 0; j < base.cols(); ++j) {
        for (Index i = 0; i < base.rows(); ++i) {
            double& value = base(i, j);
            if (!is_integer && value < negative_rounding) {
                std::ostringstream message;
                message << "a scalar product of features is " << value << ", which has no real power " << exponent
                        << "; use an integer zeta, or features whose scalar products are not negative.";
                throw InvalidInput(message.str());
            }
            value = std::pow(is_integer ? value : std::max(value, 0.0), exponent);
        }
    }
}

}  // namespace

void kernel_rows(ConstMatrixView features, ConstMatrixView active, double zeta, MatrixView out, int n_threads) {
    check_view("features", features);
    check_view("active", active);
    check_size(active.rows);
    if (features.cols != active.cols || active.cols == 0) {
        throw InvalidInput(
            "features have " + std::to_string(features.cols) + " columns and the active set " +
            std::to_string(active.cols) + "; both need the same, at least one."
        );
    }
    if (!(zeta > 0.0) || !std::isfinite(zeta)) {
        throw InvalidInput("zeta is " + std::to_string(zeta) + "; it must be positive and finite.");
    }
    check_output("out", out, features.rows, active.rows);
    check_finite("the active set", active);
    check_finite("features", features);
    const auto active_rows = as_matrix(active);
    parallel_for(tile_count(features.rows, tile_rows), resolve_threads(n_threads), [&]() -> Worker {
        return [&, tile = Matrix(features.cols, tile_rows),
                products = Matrix(active.rows, tile_rows)](Index task) mutable {
            const Index first = task * tile_rows;
            const Index count = std::min(tile_rows, features.rows - first);
            for (Index t = 0; t < count; ++t) {
                std::copy_n(features.row(first + t), features.cols, tile.col(t).data());
            }
            tile.rightCols(tile_rows - count).setZero();
            products.noalias() = active_rows * tile;
            if (is_product(zeta)) {
                raise_to_integer(products, static_cast<int>(zeta));
            } else {
                raise_to_real(products.leftCols(count), zeta);
            }
            for (Index t = 0; t < count; ++t) std::copy_n(products.col(t).data(), active.rows, out.row(first + t));
        };
    });
}

}  // namespace lpr_fast
