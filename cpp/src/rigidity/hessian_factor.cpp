#include "lpr_fast/hessian_factor.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "linear_algebra/condition.hpp"
#include "linear_algebra/triangularize.hpp"
#include "lpr_fast/error.hpp"
#include "rigidity/accumulator_state.hpp"
#include "rigidity/factor_state.hpp"
#include "rigidity/scoring.hpp"
#include "rigidity/whitened.hpp"

namespace lpr_fast {
namespace {

/// The chosen columns of phi that were not dropped.
struct Chosen {
    std::vector<Index> in_triangle;  ///< their positions in the triangle
    std::vector<Index> in_list;      ///< their positions in the list of chosen columns
};

Chosen chosen_columns(const FactorState& state, const std::vector<Index>& columns) {
    constexpr Index dropped = -1;
    std::vector<Index> position(static_cast<std::size_t>(state.size), dropped);
    for (std::size_t j = 0; j < state.columns.size(); ++j) {
        position[static_cast<std::size_t>(state.columns[j])] = static_cast<Index>(j);
    }
    Chosen chosen;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const Index place = position[static_cast<std::size_t>(columns[i])];
        if (place == dropped) continue;
        chosen.in_triangle.push_back(place);
        chosen.in_list.push_back(static_cast<Index>(i));
    }
    return chosen;
}

/// The given columns of R^-T, row-major, followed by the held directions.
RowMatrix columns_of_inverse(const FactorState& state, const std::vector<Index>& columns, int n_threads) {
    constexpr Index tile_width = 64;
    const auto count = static_cast<Index>(columns.size());
    const RowMatrix& triangle = state.triangle;
    const Index n_directions = state.held ? state.held->directions.rows() : 0;
    RowMatrix inverse(triangle.rows(), count + n_directions);
    if (n_directions > 0) inverse.rightCols(n_directions) = state.held->directions.transpose();
    parallel_for_each(tile_count(count, tile_width), n_threads, [&](Index task) {
        const Index first = task * tile_width;
        const Index width = std::min(tile_width, count - first);
        Matrix tile = Matrix::Zero(triangle.rows(), width);
        for (Index j = 0; j < width; ++j) tile(columns[static_cast<std::size_t>(first + j)], j) = 1.0;
        transposed_triangle(triangle).solveInPlace(tile);
        inverse.middleCols(first, width) = tile;
    });
    return inverse;
}

/// The same factor with other held predictions. Packed factors and workspaces are not shared.
std::shared_ptr<const FactorState> copy_with(const FactorState& state, Held held) {
    auto copy = std::make_shared<FactorState>();
    copy->size = state.size;
    copy->columns = state.columns;
    copy->triangle = state.triangle;
    copy->condition = state.condition;
    copy->error_estimate = state.error_estimate;
    copy->held = std::make_shared<const Held>(std::move(held));
    copy->origin = state.origin;
    copy->added = state.added;
    copy->packed = std::make_unique<PackedTriangle>();
    copy->workspaces = std::make_unique<Workspaces>();
    return copy;
}

/// Upper-triangular T with |T^-T reversed(x)| = |U x|: the inverse of U's transpose, rows and columns reversed.
RowMatrix reversed_inverse(const RowMatrix& u) {
    Matrix inverse = Matrix::Identity(u.rows(), u.cols());
    upper_triangle(u).solveInPlace(inverse);
    return inverse.transpose().reverse();
}

/// Updates the factor before the first update with all rows added since. A chain of updates therefore rounds as often
/// as one update, and gives the same bits.
HessianFactor updated_factor(
    const std::shared_ptr<const FactorState>& before, std::shared_ptr<const HessianAccumulator> added, int n_threads
) {
    if (before->held && before->held->rows.rows() == 0) {
        throw InvalidInput(
            "a restricted factor that holds rows cannot be updated; update the whole factor, and restrict it then."
        );
    }
    const auto origin = before->origin ? before->origin : before;
    const RowMatrix present = Triangle{origin->triangle, origin->columns, {}, {}}.rows(before->size);
    auto blocks = std::get<SquareRootSum>(added->state().sum).blocks();
    blocks.push_back(added->state().pending_rows());
    blocks.push_back(view_of(present));
    Triangle next = triangularize(blocks, origin->columns, {}, n_threads);
    FactorState state{before->size, std::move(next.columns), std::move(next.r), 0.0, origin->error_estimate};
    state.origin = origin;
    state.added = std::move(added);
    if (before->held) state.held = std::make_shared<const Held>(held_by(state, view_of(before->held->rows)));
    return make_factor(std::move(state));
}

}  // namespace

const PackedFactor& packed(const FactorState& state) {
    return state.packed->forward.get([&] {
        return std::make_unique<const PackedFactor>(state.triangle, state.columns);
    });
}

const PackedFactor& packed_back(const FactorState& state) {
    return state.packed->back.get([&] {
        std::vector<Index> reversed(at(state.triangle.cols()));
        for (Index j = 0; j < state.triangle.cols(); ++j) reversed[at(j)] = state.triangle.cols() - 1 - j;
        const RowMatrix flipped = state.triangle.reverse().transpose();
        return std::make_unique<const PackedFactor>(flipped, reversed);
    });
}

HessianFactor make_factor(FactorState state) {
    // Squares of smaller pivots, relative to the largest entry, underflow within a QR.
    constexpr double smallest_pivot = 1e-153;
    const double largest = state.triangle.cwiseAbs().maxCoeff();
    const double smallest = state.triangle.diagonal().minCoeff();
    const bool usable = state.triangle.allFinite() && smallest > 0.0 && smallest / largest > smallest_pivot;
    if (!usable) {
        throw InvalidInput(
            "rows, prior and regularizer over- or underflow float64: their scales differ by more than 150 orders of "
            "magnitude, or are beyond its range; use units in which they are closer to one."
        );
    }
    if (state.condition == 0.0) state.condition = condition_number(state.triangle);
    state.packed = std::make_unique<PackedTriangle>();
    state.workspaces = std::make_unique<Workspaces>();
    return HessianFactor(std::make_shared<const FactorState>(std::move(state)));
}

HessianFactor::HessianFactor(std::shared_ptr<const FactorState> state) : state_(std::move(state)) {}

HessianFactor HessianFactor::from_triangle(
    Index size, std::vector<Index> columns, ConstMatrixView triangle, double condition_number, double error_estimate
) {
    check_size(size);
    check_distinct_columns(columns, size);
    check_columns("the triangle", triangle, static_cast<Index>(columns.size()));
    if (triangle.rows != triangle.cols) {
        throw InvalidInput(
            "the triangle of a factor has " + std::to_string(triangle.rows) + " rows and " +
            std::to_string(triangle.cols) + " columns; it must be square."
        );
    }
    FactorState state{size, std::move(columns), as_matrix(triangle), condition_number, error_estimate};
    if (!state.triangle.isUpperTriangular(0.0)) {
        throw InvalidInput(
            "the triangle of a factor is not zero below its diagonal; give the triangle and columns that a factor "
            "returned."
        );
    }
    return make_factor(std::move(state));
}

void HessianFactor::quadratic_forms(ConstMatrixView phi, VectorView out, int n_threads) const {
    check_columns("phi", phi, size());
    check_output("out", {out.data, 1, out.size}, 1, phi.rows);
    score_forms(*state_, phi, {{}, out}, resolve_threads(n_threads));
}

void HessianFactor::score(ConstMatrixView phi, const FormScores& scores, int n_threads) const {
    check_columns("phi", phi, size());
    check_forms(*state_, scores, phi.rows);
    score_forms(*state_, phi, scores, resolve_threads(n_threads));
}

void HessianFactor::covariance(
    ConstMatrixView phi_a, ConstMatrixView phi_b, double scale, MatrixView out, int n_threads
) const {
    check_columns("phi_a", phi_a, size());
    check_columns("phi_b", phi_b, size());
    check_output("out", out, phi_a.rows, phi_b.rows);
    check_scale(scale);
    score_covariance(*state_, phi_a, phi_b, scale, out, resolve_threads(n_threads));
}

void HessianFactor::whitened(ConstMatrixView phi, MatrixView out, int n_threads) const {
    check_columns("phi", phi, size());
    check_output("out", out, phi.rows, state_->triangle.cols());
    write_whitened(*state_, phi, Freedom::whole, out, resolve_threads(n_threads));
}

void HessianFactor::whitened_held(ConstMatrixView phi, MatrixView out, int n_threads) const {
    check_columns("phi", phi, size());
    check_output("out", out, phi.rows, state_->triangle.cols());
    check_freedom(*state_, Freedom::held);
    write_whitened(*state_, phi, Freedom::held, out, resolve_threads(n_threads));
}

HessianFactor HessianFactor::restrict_to(const std::vector<Index>& columns, int n_threads) const {
    check_distinct_columns(columns, size());
    const Chosen chosen = chosen_columns(*state_, columns);
    if (chosen.in_list.empty()) {
        throw InvalidInput(
            "every one of these columns was dropped as redundant; choose others, or fit again without them."
        );
    }
    const RowMatrix inverse = columns_of_inverse(*state_, chosen.in_triangle, n_threads);
    const auto n_chosen = static_cast<Index>(chosen.in_triangle.size());
    const Triangle u = triangularize({view_of(inverse)}, n_threads, inverse.cols() - n_chosen);
    FactorState restricted;
    if (holds()) {
        Held within = held_within(*state_->held, u);
        within.directions = within.directions.rowwise().reverse().eval();
        restricted.held = std::make_shared<const Held>(std::move(within));
    }
    restricted.size = static_cast<Index>(columns.size());
    restricted.triangle = reversed_inverse(u.r);
    for (auto place = u.columns.rbegin(); place != u.columns.rend(); ++place) {
        restricted.columns.push_back(chosen.in_list[static_cast<std::size_t>(*place)]);
    }
    restricted.error_estimate = state_->error_estimate;
    return make_factor(std::move(restricted));
}

HessianFactor HessianFactor::updated(
    ConstMatrixView rows, std::optional<ConstVectorView> weights, int n_threads
) const {
    auto added = state_->added ? std::make_shared<HessianAccumulator>(*state_->added)
                               : std::make_shared<HessianAccumulator>(size(), Method::qr);
    added->add(rows, weights, n_threads);
    return updated_factor(state_, std::move(added), n_threads);
}

HessianFactor HessianFactor::updated(const HessianAccumulator& rows, int n_threads) const {
    if (rows.size() != size() || rows.method() != Method::qr || rows.is_labelled()) {
        throw InvalidInput(
            "the accumulator has size " + std::to_string(rows.size()) +
            (rows.method() == Method::qr ? ", method qr" : ", method gram") +
            (rows.is_labelled() ? " and labelled rows" : " and rows without targets") + "; a factor of size " +
            std::to_string(size()) + " needs that size, method qr and rows without targets."
        );
    }
    auto added = std::make_shared<HessianAccumulator>(rows);
    if (state_->added) {
        added = std::make_shared<HessianAccumulator>(*state_->added);
        added->merge(rows, n_threads);
    }
    return updated_factor(state_, std::move(added), n_threads);
}

HessianFactor HessianFactor::holding(ConstMatrixView rows) const {
    check_columns("the held rows", rows, size());
    for (Index i = 0; i < rows.rows; ++i) check_environment("the held rows", rows.row(i), rows.cols, i);
    Held held = held_by(*state_, rows);
    if (held.directions.rows() == 0) {
        throw InvalidInput("the held rows are zero, so there is nothing to hold; give rows of phi.");
    }
    return HessianFactor(copy_with(*state_, std::move(held)));
}

HessianFactor HessianFactor::with_held(const HeldParts& parts) const {
    check_columns("the held directions", parts.directions, state_->triangle.cols());
    const bool fits = parts.left.size == parts.directions.rows && (parts.rows.rows == 0 || parts.rows.cols == size());
    const auto is_share = [](double left) { return left >= 0.0 && left <= 1.0; };
    if (!fits || !std::all_of(parts.left.data, parts.left.data + parts.left.size, is_share)) {
        throw InvalidInput(
            "the shapes or values of the held parts do not agree with the factor; give the parts that held() of such a "
            "factor returned."
        );
    }
    Held held{{}, as_matrix(parts.directions), Eigen::Map<const Vector>(parts.left.data, parts.left.size)};
    if (parts.rows.rows > 0) held.rows = as_matrix(parts.rows);
    return HessianFactor(copy_with(*state_, std::move(held)));
}

bool HessianFactor::holds() const {
    return state_->held != nullptr;
}

HeldParts HessianFactor::held() const& {
    if (!holds()) return {};
    const Held& held = *state_->held;
    return {view_of(held.rows), view_of(held.directions), {held.left.data(), held.left.size()}};
}

Index HessianFactor::size() const {
    return state_->size;
}

const std::vector<Index>& HessianFactor::columns() const& {
    return state_->columns;
}

Index HessianFactor::n_dropped() const {
    return state_->size - static_cast<Index>(state_->columns.size());
}

double HessianFactor::condition_number() const {
    return state_->condition;
}

double HessianFactor::error_estimate() const {
    return state_->error_estimate;
}

ConstMatrixView HessianFactor::triangle() const& {
    return view_of(state_->triangle);
}

}  // namespace lpr_fast
