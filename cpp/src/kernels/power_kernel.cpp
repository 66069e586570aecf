#include "kernels/power_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "base/checks.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// Scalar products of normalised features below this are negative by more than rounding.
constexpr double negative_rounding = -1e-10;

// Integer powers up to this are computed by multiplications, others by std::pow, whose bits depend on the C library.
constexpr double largest_product = 1024.0;

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
        "features have " + std::to_string(features.cols) + " columns, but the active set has " +
        std::to_string(n_features()) + "; give features with as many columns as the active set."
    );
}

void PowerKernel::evaluate(ConstMatrixView features, Index first, Index count, Workspace& workspace) const {
    multiply(features, first, count, workspace);
    raise(first, count, workspace);
}

void PowerKernel::evaluate(
    ConstMatrixView features, Index first, Index count, Workspace& workspace, AlignedBuffer& slopes
) const {
    const Index lanes = hot_kernels().lanes, size = padded_size() * lanes;
    multiply(features, first, count, workspace);
    slopes.reserve(padded_size() * tile_columns());
    for (Index s = 0; s < tile_count(count, lanes); ++s) {
        std::copy_n(workspace.kernels.data() + s * size, size, slopes.data() + s * size);
        slope({slopes.data() + s * size, padded_size(), std::min(lanes, count - s * lanes)});
    }
    raise(first, count, workspace);
}

const PackedRows& PowerKernel::transposed() const {
    return transposed_.get([&] { return std::make_unique<const PackedRows>(active_.transposed()); });
}

void PowerKernel::multiply(ConstMatrixView features, Index first, Index count, Workspace& workspace) const {
    workspace.input.reserve(block_depth * tile_columns());
    workspace.kernels.reserve(padded_size() * tile_columns());
    // In blocks of columns, so that the transposed features stay in the caches however many there are.
    for (Index column = 0; column < n_features(); column += block_depth) {
        const Index depth = active_.block_size(column);
        load_strips("features", features, first, count, column, depth, workspace.input.data());
        active_.multiply_block(column, workspace.input.data(), count, workspace.kernels.data());
    }
}

void PowerKernel::raise(Index first, Index count, Workspace& workspace) const {
    const HotKernels& kernels = hot_kernels();
    for (Index s = 0; s < tile_count(count, kernels.lanes); ++s) {
        double* values = workspace.kernels.data() + s * padded_size() * kernels.lanes;
        raise({values, padded_size(), std::min(kernels.lanes, count - s * kernels.lanes)}, first + s * kernels.lanes);
    }
}

void PowerKernel::slope(const Strip& strip) const {
    const Index lanes = hot_kernels().lanes, size = strip.depth * lanes;
    if (zeta_ == 1.0) {
        std::fill_n(strip.values, size, 1.0);
        return;
    }
    if (is_integer(zeta_) && zeta_ <= largest_product) {
        hot_kernels().raise(strip, static_cast<int>(zeta_) - 1);
    } else {
        for (Index m = 0; m < strip.depth; ++m)
            for (Index l = 0; l < strip.n_columns; ++l) {
                double& value = strip.values[m * lanes + l];
                value = is_integer(zeta_) || value > 0.0 ? std::pow(value, zeta_ - 1.0) : 0.0;
            }
    }
    for (Index i = 0; i < size; ++i) strip.values[i] *= zeta_;
}

void PowerKernel::raise(const Strip& strip, Index first) const {
    const HotKernels& kernels = hot_kernels();
    if (is_integer(zeta_) && zeta_ <= largest_product) {
        kernels.raise(strip, static_cast<int>(zeta_));
    } else {
        for (Index l = 0; l < strip.n_columns; ++l) raise_by_pow(strip.values + l, size(), kernels.lanes, zeta_);
    }
    if (kernels.are_within(strip, largest_entry)) return;
    for (Index l = 0; l < strip.n_columns; ++l) {
        for (Index m = 0; m < size(); ++m) {
            if (std::abs(strip.values[m * kernels.lanes + l]) <= largest_entry) continue;
            throw InvalidInput(
                "a kernel of features row " + std::to_string(first + l) +
                " is above 1e140; normalise the features, or use units in which their scalar products are closer to 1."
            );
        }
    }
}

}  // namespace lpr_fast
