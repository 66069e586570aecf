#include "lpr_fast/hessian_factor.hpp"

#include <cmath>
#include <string>

#include "accumulator_state.hpp"
#include "checks.hpp"
#include "condition.hpp"
#include "factor_state.hpp"
#include "lpr_fast/error.hpp"
#include "scoring.hpp"
#include "triangularize.hpp"

namespace lpr_fast {
namespace {

/// Positions in `kept` of those of `columns` that were kept, and where each stands in `columns`.
struct Restriction {
    std::vector<Index> order;  ///< positions in kept: the others first, then the chosen ones as given
    std::vector<Index> kept;   ///< kept positions within `columns`, ascending
};

Restriction restriction_of(const FactorState& state, const std::vector<Index>& columns) {
    constexpr Index dropped = -1;
    std::vector<Index> position(static_cast<std::size_t>(state.size), dropped);
    for (std::size_t i = 0; i < state.kept.size(); ++i) {
        position[static_cast<std::size_t>(state.kept[i])] = static_cast<Index>(i);
    }
    Restriction result;
    std::vector<Index> chosen;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        Index& place = position[static_cast<std::size_t>(columns[i])];
        if (place == dropped) continue;
        chosen.push_back(place);
        result.kept.push_back(static_cast<Index>(i));
        place = dropped;
    }
    for (const Index place : position) {
        if (place != dropped) result.order.push_back(place);
    }
    result.order.insert(result.order.end(), chosen.begin(), chosen.end());
    return result;
}

void check_phi(const char* name, ConstMatrixView phi, Index size) {
    if (phi.cols == size) return;
    throw InvalidInput(
        std::string(name) + " has " + std::to_string(phi.cols) + " columns, expected " + std::to_string(size) +
        ", one for each weight of the model."
    );
}

}  // namespace

HessianFactor::HessianFactor(std::shared_ptr<const FactorState> state) : state_(std::move(state)) {}

HessianFactor HessianFactor::from_triangle(
    Index size, std::vector<Index> kept_columns, ConstMatrixView triangle, double condition_number,
    double error_estimate
) {
    check_distinct_columns(kept_columns, size);
    const auto n_kept = static_cast<Index>(kept_columns.size());
    const RowMatrix matrix = as_matrix(triangle).triangularView<Eigen::Upper>();
    if (triangle.rows != n_kept || triangle.cols != n_kept || !matrix.allFinite() ||
        (matrix.diagonal().array() == 0.0).any()) {
        throw InvalidInput(
            "these are not the parts of a factor: expected a finite triangle of size " + std::to_string(n_kept) +
            " with no zero on its diagonal; give the parts as they were taken."
        );
    }
    return HessianFactor(
        std::make_shared<const FactorState>(
            FactorState{size, std::move(kept_columns), matrix, condition_number, error_estimate}
        )
    );
}

void HessianFactor::quadratic_forms(ConstMatrixView phi, double* out, int n_threads) const {
    check_phi("phi", phi, size());
    score_quadratic_forms(state_->triangle, state_->kept, phi, out, n_threads);
}

void HessianFactor::covariance(ConstMatrixView phi_a, ConstMatrixView phi_b, MatrixView out, int n_threads) const {
    check_phi("phi_a", phi_a, size());
    check_phi("phi_b", phi_b, size());
    score_covariance(state_->triangle, state_->kept, phi_a, phi_b, out, n_threads);
}

HessianFactor HessianFactor::restrict_to(const std::vector<Index>& columns, int n_threads) const {
    check_distinct_columns(columns, size());
    Restriction restriction = restriction_of(*state_, columns);
    const auto n_chosen = static_cast<Index>(restriction.kept.size());
    if (n_chosen == 0) {
        throw InvalidInput(
            "every one of these columns was dropped as redundant; choose others, or refit without them."
        );
    }
    const RowMatrix reordered = triangularize({triangle()}, restriction.order, n_threads);
    FactorState restricted;
    restricted.size = static_cast<Index>(columns.size());
    restricted.kept = std::move(restriction.kept);
    restricted.triangle = reordered.bottomRightCorner(n_chosen, n_chosen);
    restricted.condition = lpr_fast::condition_number(restricted.triangle);
    restricted.error_estimate = state_->error_estimate;
    return HessianFactor(std::make_shared<const FactorState>(std::move(restricted)));
}

HessianFactor HessianFactor::updated(ConstMatrixView rows, ConstVectorView weights, int n_threads) const {
    HessianAccumulator added(size(), Method::qr);
    added.add(rows, weights, n_threads);
    FactorState next = *state_;
    RowMatrix widened = RowMatrix::Zero(next.triangle.rows(), next.size);
    for (std::size_t j = 0; j < next.kept.size(); ++j) {
        widened.col(next.kept[j]) = next.triangle.col(static_cast<Index>(j));
    }
    auto blocks = std::get<SquareRootSum>(added.state().sum).blocks();
    blocks.push_back(added.state().pending_rows());
    blocks.push_back(view_of(widened));
    next.triangle = triangularize(blocks, next.kept, n_threads);
    next.condition = lpr_fast::condition_number(next.triangle);
    return HessianFactor(std::make_shared<const FactorState>(std::move(next)));
}

Index HessianFactor::size() const {
    return state_->size;
}

const std::vector<Index>& HessianFactor::kept_columns() const {
    return state_->kept;
}

Index HessianFactor::n_dropped() const {
    return state_->size - static_cast<Index>(state_->kept.size());
}

double HessianFactor::condition_number() const {
    return state_->condition;
}

double HessianFactor::error_estimate() const {
    return state_->error_estimate;
}

ConstMatrixView HessianFactor::triangle() const {
    return view_of(state_->triangle);
}

}  // namespace lpr_fast
