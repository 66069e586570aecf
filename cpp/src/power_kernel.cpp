#include "power_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "checks.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// Scalar products of normalised features that are this far below zero are no rounding.
constexpr double negative_rounding = -1e-10;

// Powers up to this are products, larger ones are left to std::pow.
constexpr double largest_product = 64.0;

bool is_integer(double zeta) {
    return zeta == std::floor(zeta);
}

void raise_by_pow(double* values, Index count, Index stride, double zeta) {
    for (Index i = 0; i < count; ++i) {
        double& value = values[i * stride];
        if (!is_integer(zeta) && value < negative_rounding) {
            std::ostringstream message;
            message << "a scalar product of features is " << value << ", which has no real power " << zeta
                    << "; use an integer zeta, or features whose scalar products are not negative.";
            throw InvalidInput(message.str());
        }
        value = std::pow(is_integer(zeta) ? value : std::max(value, 0.0), zeta);
    }
}

ConstMatrixView checked_active(ConstMatrixView active) {
    check_view("the active set", active);
    check_size(active.rows);
    check_finite("the active set", active);
    if (active.cols == 0) throw InvalidInput("the active set has no features; give at least one column.");
    return active;
}

}  // namespace

PowerKernel::PowerKernel(ConstMatrixView active, double zeta) : active_(checked_active(active)), zeta_(zeta) {
    if (!(zeta > 0.0) || !std::isfinite(zeta)) {
        throw InvalidInput("zeta is " + std::to_string(zeta) + "; it must be positive and finite.");
    }
}

void PowerKernel::check_features(ConstMatrixView features) const {
    check_view("features", features);
    if (features.cols == n_features()) return;
    throw InvalidInput(
        "features have " + std::to_string(features.cols) + " columns and the active set " +
        std::to_string(n_features()) + "; both need the same, at least one."
    );
}

void PowerKernel::evaluate(ConstMatrixView features, Index first, Index count, Workspace& workspace) const {
    const HotKernels& kernels = hot_kernels();
    const Index n_strips = tile_count(count, kernels.lanes);
    workspace.input.reserve(block_depth * tile_columns());
    workspace.kernels.reserve(padded_size() * tile_columns());
    // Block by block, so that features on their way into lanes stay in the caches however many there are.
    for (Index column = 0; column < n_features(); column += block_depth) {
        const Index depth = active_.block_size(column);
        load_strips("features", features, first, count, column, depth, workspace.input.data());
        active_.multiply_block(column, workspace.input.data(), count, workspace.kernels.data());
    }
    double* values = workspace.kernels.data();
    const Index per_strip = padded_size() * kernels.lanes;
    if (is_integer(zeta_) && zeta_ <= largest_product) {
        kernels.raise(values, n_strips * per_strip, static_cast<int>(zeta_));
        return;
    }
    for (Index column = 0; column < count; ++column) {
        const Index place = column / kernels.lanes * per_strip + column % kernels.lanes;
        raise_by_pow(values + place, size(), kernels.lanes, zeta_);
    }
}

}  // namespace lpr_fast
