#include "lpr_fast/hessian_accumulator.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <string>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"
#include "lpr_fast/error.hpp"
#include "rigidity/accumulator_state.hpp"
#include "rigidity/data_root.hpp"

namespace lpr_fast {
namespace {

// "LPRACC" and a format version. On a machine of the other byte order the number differs.
constexpr Index magic = 0x4c50524143430003;

std::variant<SquareRootSum, GramSum> empty_sum(Index size, Index n_targets, Method method) {
    if (method == Method::gram) return GramSum(size, n_targets);
    return SquareRootSum(size, n_targets);
}

Index leaf_rows_of(const AccumulatorState& state) {
    return std::visit([](const auto& sum) { return sum.leaf_rows(); }, state.sum);
}

double sum_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Reduces the pending rows if they fill a leaf.
void fold_full_leaf(AccumulatorState& state, int n_threads) {
    if (state.pending_rows().rows < leaf_rows_of(state)) return;
    std::visit(
        [&](auto& sum) { sum.fold(state.pending_rows(), sum_of(state.pending_log_weights), n_threads); }, state.sum
    );
    state.pending.clear();
    state.pending_log_weights.clear();
}

/// Appends a row that is already multiplied by the root of its weight.
void append_weighted(AccumulatorState& state, const double* row, double log_weight, int n_threads) {
    state.pending.insert(state.pending.end(), row, row + state.width());
    state.pending_log_weights.push_back(log_weight);
    fold_full_leaf(state, n_threads);
}

/// Appends sqrt(weight) times each row and its target, and folds each leaf that fills.
void append(
    AccumulatorState& state, ConstMatrixView rows, std::optional<ConstVectorView> targets,
    std::optional<ConstVectorView> weights, int n_threads
) {
    std::vector<double> weighted(at(state.width()));
    for (Index i = 0; i < rows.rows; ++i) {
        const double weight = weights ? weights->data[i] : 1.0;
        const double factor = std::sqrt(weight);
        std::transform(rows.row(i), rows.row(i) + rows.cols, weighted.data(), [&](double x) { return factor * x; });
        if (targets) weighted.back() = factor * targets->data[i];
        append_weighted(state, weighted.data(), weight > 0.0 ? std::log(weight) : 0.0, n_threads);
        state.n_weighted += weight > 0.0 ? 1 : 0;
    }
    state.n_rows += rows.rows;
}

/// Adds the leaves of `added`, then its pending rows.
void merge_states(AccumulatorState& state, const AccumulatorState& added, int n_threads) {
    std::visit([&](auto& sum) { sum.merge(std::get<std::decay_t<decltype(sum)>>(added.sum), n_threads); }, state.sum);
    const ConstMatrixView waiting = added.pending_rows();
    for (Index i = 0; i < waiting.rows; ++i) {
        append_weighted(state, waiting.row(i), added.pending_log_weights[at(i)], n_threads);
    }
    state.n_rows += added.n_rows;
    state.n_weighted += added.n_weighted;
}

/// Whether the numbers of leaves and pending rows agree with the number of rows.
bool counts_agree(const AccumulatorState& state) {
    const Index folded = state.n_rows - state.pending_rows().rows;
    const Index leaf = leaf_rows_of(state);
    return folded >= 0 && folded % leaf == 0 &&
           std::visit([&](const auto& sum) { return sum.could_hold(folded / leaf); }, state.sum);
}

}  // namespace

HessianAccumulator::HessianAccumulator(Index size, Method method, bool labelled) {
    check_size(size);
    const Index n_targets = labelled ? 1 : 0;
    state_ = std::make_unique<AccumulatorState>(
        AccumulatorState{size, n_targets, 0, 0, {}, {}, empty_sum(size, n_targets, method), false}
    );
}

HessianAccumulator::HessianAccumulator(const HessianAccumulator& other)
    : state_(std::make_unique<AccumulatorState>(*other.state_)) {}

HessianAccumulator::HessianAccumulator(HessianAccumulator&& other) noexcept = default;

HessianAccumulator& HessianAccumulator::operator=(const HessianAccumulator& other) {
    state_ = std::make_unique<AccumulatorState>(*other.state_);
    return *this;
}

HessianAccumulator& HessianAccumulator::operator=(HessianAccumulator&& other) noexcept = default;

HessianAccumulator::~HessianAccumulator() = default;

const AccumulatorState& HessianAccumulator::state() const {
    if (state_->is_lost) {
        throw Error(
            "an earlier change of this accumulator failed half-way, for instance because memory ran out; build it "
            "again."
        );
    }
    return *state_;
}

template <typename Change>
void HessianAccumulator::change(const Change& change) {
    hot_kernels();  // throws if LPR_FAST_INSTRUCTION_SET is wrong, before anything has changed
    state_->is_lost = true;
    change(*state_);
    state_->is_lost = false;
}

void HessianAccumulator::add_rows(
    ConstMatrixView rows, std::optional<ConstVectorView> targets, std::optional<ConstVectorView> weights, int n_threads
) {
    const int threads = resolve_threads(n_threads);
    if (targets.has_value() != is_labelled()) {
        throw InvalidInput(
            is_labelled() ? "this accumulator is for labelled rows; give a target for each row."
                          : "this accumulator is for rows without targets; make one for labelled rows."
        );
    }
    check_columns("the block of rows", rows, size());
    check_rows(rows, weights, state().n_rows);
    if (targets) check_targets(*targets, rows.rows, state().n_rows);
    change([&](AccumulatorState& state) { append(state, rows, targets, weights, threads); });
}

void HessianAccumulator::add(ConstMatrixView rows, std::optional<ConstVectorView> weights, int n_threads) {
    add_rows(rows, std::nullopt, weights, n_threads);
}

void HessianAccumulator::add_labelled(
    ConstMatrixView rows, ConstVectorView targets, std::optional<ConstVectorView> weights, int n_threads
) {
    add_rows(rows, targets, weights, n_threads);
}

void HessianAccumulator::merge(const HessianAccumulator& other, int n_threads) {
    if (other.size() != size() || other.method() != method() || other.is_labelled() != is_labelled()) {
        throw InvalidInput(
            "cannot merge an accumulator of size " + std::to_string(other.size()) + " into one of size " +
            std::to_string(size()) + (other.method() == method() ? "" : ", with another method") +
            (other.is_labelled() == is_labelled() ? "" : ", of which only one has labelled rows") +
            "; build both with the same settings."
        );
    }
    const int threads = resolve_threads(n_threads);
    const AccumulatorState added = other.state();  // a copy: `other` may be this object
    if (added.n_rows > std::numeric_limits<Index>::max() - state().n_rows) {
        throw InvalidInput(
            "merging these accumulators would give more rows than a 64-bit integer can count; merge fewer copies."
        );
    }
    change([&](AccumulatorState& state) { merge_states(state, added, threads); });
}

Index HessianAccumulator::size() const {
    return state_->size;
}

Index HessianAccumulator::n_rows() const {
    return state().n_rows;
}

Index HessianAccumulator::n_weighted() const {
    return state().n_weighted;
}

double HessianAccumulator::sum_log_weights() const {
    const double folded = std::visit([](const auto& sum) { return sum.log_weights(); }, state().sum);
    return folded + sum_of(state().pending_log_weights);
}

double HessianAccumulator::rest_norm(int n_threads) const {
    if (!is_labelled()) {
        throw InvalidInput("this accumulator has rows without targets, so there is no residual norm; label the rows.");
    }
    return data_root(state(), resolve_threads(n_threads)).rest;
}

Method HessianAccumulator::method() const {
    return std::holds_alternative<GramSum>(state_->sum) ? Method::gram : Method::qr;
}

bool HessianAccumulator::is_labelled() const {
    return state_->n_targets == 1;
}

Index HessianAccumulator::leaf_rows() const {
    return leaf_rows_of(*state_);
}

std::vector<std::uint8_t> HessianAccumulator::to_bytes() const {
    const AccumulatorState& held = state();
    ByteWriter bytes;
    bytes.integer(magic);
    bytes.integer(method() == Method::gram ? 1 : 0);
    bytes.integer(held.n_targets);
    bytes.integer(held.size);
    bytes.integer(held.n_rows);
    bytes.integer(held.pending_rows().rows);
    bytes.integer(held.n_weighted);
    bytes.numbers(held.pending.data(), static_cast<Index>(held.pending.size()));
    bytes.numbers(held.pending_log_weights.data(), static_cast<Index>(held.pending_log_weights.size()));
    std::visit([&](const auto& sum) { sum.write(bytes); }, held.sum);
    return bytes.take_with_checksum();
}

HessianAccumulator HessianAccumulator::from_bytes(const std::uint8_t* source, std::size_t n_bytes) {
    ByteReader bytes = ByteReader::checked(source, n_bytes);
    bytes.integer(magic, magic);
    const Method method = bytes.integer(0, 1) == 1 ? Method::gram : Method::qr;
    const bool labelled = bytes.integer(0, 1) == 1;
    HessianAccumulator accumulator(bytes.integer(1, max_size), method, labelled);
    AccumulatorState& state = *accumulator.state_;
    state.n_rows = bytes.integer(0, std::numeric_limits<Index>::max());
    const Index n_pending = bytes.integer(0, accumulator.leaf_rows() - 1);
    state.n_weighted = bytes.integer(0, state.n_rows);
    bytes.expect_numbers(n_pending * (state.width() + 1));
    state.pending.resize(static_cast<std::size_t>(n_pending * state.width()));
    bytes.numbers(state.pending.data(), n_pending * state.width());
    state.pending_log_weights.resize(at(n_pending));
    bytes.numbers(state.pending_log_weights.data(), n_pending);
    std::visit([&](auto& sum) { sum.read(bytes); }, state.sum);
    bytes.expect_end();
    if (!counts_agree(state)) ByteReader::refuse();
    return accumulator;
}

}  // namespace lpr_fast
