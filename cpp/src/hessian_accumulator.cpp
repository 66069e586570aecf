#include "lpr_fast/hessian_accumulator.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>

#include "accumulator_state.hpp"
#include "checks.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// "LPRACC" and a format version; the number reads differently on a machine of other byte order.
constexpr Index magic = 0x4c50524143430001;

constexpr Index max_size = Index{1} << 24;

std::variant<SquareRootSum, GramSum> empty_sum(Index size, Method method) {
    if (method == Method::gram) return GramSum(size);
    return SquareRootSum(size);
}

Index leaf_rows_of(const AccumulatorState& state) {
    return std::visit([](const auto& sum) { return sum.leaf_rows(); }, state.sum);
}

/// Appends sqrt(weight) times each row, folding every leaf that fills.
void append(AccumulatorState& state, ConstMatrixView rows, ConstVectorView weights, int n_threads) {
    const auto leaf_size = static_cast<std::size_t>(leaf_rows_of(state) * state.size);
    for (Index i = 0; i < rows.rows; ++i) {
        const double factor = weights.data == nullptr ? 1.0 : std::sqrt(weights.data[i]);
        const double* row = rows.row(i);
        std::transform(row, row + state.size, std::back_inserter(state.pending), [&](double x) { return factor * x; });
        if (state.pending.size() == leaf_size) {
            std::visit([&](auto& sum) { sum.fold(state.pending_rows(), n_threads); }, state.sum);
            state.pending.clear();
        }
    }
}

}  // namespace

HessianAccumulator::HessianAccumulator(Index size, Method method) {
    check_size(size);
    state_ = std::make_unique<AccumulatorState>(AccumulatorState{size, 0, {}, empty_sum(size, method)});
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

void HessianAccumulator::add(ConstMatrixView rows, ConstVectorView weights, int n_threads) {
    check_columns("the block of rows", rows, size());
    check_rows(rows, weights, n_rows());
    append(*state_, rows, weights, n_threads);
    state_->n_rows += rows.rows;
}

void HessianAccumulator::merge(const HessianAccumulator& other, int n_threads) {
    if (other.size() != size() || other.method() != method()) {
        throw InvalidInput(
            "cannot merge an accumulator of size " + std::to_string(other.size()) + " into one of size " +
            std::to_string(size()) + (other.method() == method() ? "" : ", nor one of another method") +
            "; build both with the same size and method."
        );
    }
    const AccumulatorState added = *other.state_;  // a copy: `other` may be this object
    std::visit([&](auto& sum) { sum.merge(std::get<std::decay_t<decltype(sum)>>(added.sum), n_threads); }, state_->sum);
    append(*state_, added.pending_rows(), {}, n_threads);
    state_->n_rows += added.n_rows;
}

Index HessianAccumulator::size() const {
    return state_->size;
}

Index HessianAccumulator::n_rows() const {
    return state_->n_rows;
}

Method HessianAccumulator::method() const {
    return std::holds_alternative<GramSum>(state_->sum) ? Method::gram : Method::qr;
}

Index HessianAccumulator::leaf_rows() const {
    return leaf_rows_of(*state_);
}

std::vector<std::uint8_t> HessianAccumulator::to_bytes() const {
    ByteWriter bytes;
    bytes.integer(magic);
    bytes.integer(method() == Method::gram ? 1 : 0);
    bytes.integer(state_->size);
    bytes.integer(state_->n_rows);
    bytes.integer(state_->pending_rows().rows);
    bytes.numbers(state_->pending.data(), static_cast<Index>(state_->pending.size()));
    std::visit([&](const auto& sum) { sum.write(bytes); }, state_->sum);
    return bytes.take();
}

HessianAccumulator HessianAccumulator::from_bytes(const std::uint8_t* source, std::size_t n_bytes) {
    ByteReader bytes(source, n_bytes);
    bytes.integer(magic, magic);
    const Method method = bytes.integer(0, 1) == 1 ? Method::gram : Method::qr;
    HessianAccumulator accumulator(bytes.integer(1, max_size), method);
    AccumulatorState& state = *accumulator.state_;
    state.n_rows = bytes.integer(0, std::numeric_limits<Index>::max());
    const Index n_pending = bytes.integer(0, accumulator.leaf_rows() - 1);
    bytes.expect_numbers(n_pending * state.size);
    state.pending.resize(static_cast<std::size_t>(n_pending * state.size));
    bytes.numbers(state.pending.data(), n_pending * state.size);
    std::visit([&](auto& sum) { sum.read(bytes); }, state.sum);
    bytes.expect_end();
    return accumulator;
}

}  // namespace lpr_fast
