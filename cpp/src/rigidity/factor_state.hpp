#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "base/matrices.hpp"
#include "base/parallel.hpp"
#include "linear_algebra/packed.hpp"
#include "linear_algebra/tiles.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "rigidity/held.hpp"

namespace lpr_fast {

/// Something that is made when it is first asked for, once however many threads ask. A forked child leaves the lock
/// alone, as in Pool.
template <typename Value>
class MadeOnce {
public:
    MadeOnce() = default;
    MadeOnce(const MadeOnce&) = delete;
    MadeOnce& operator=(const MadeOnce&) = delete;
    ~MadeOnce() { const std::unique_ptr<const Value> owned(value_.load()); }

    template <typename Make>
    const Value& get(const Make& make) {
        if (const Value* present = value_.load(std::memory_order_acquire)) return *present;
        std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
        if (!is_forked_child()) lock.lock();
        if (const Value* present = value_.load(std::memory_order_acquire)) return *present;
        std::unique_ptr<const Value> made = make();
        const Value* other = nullptr;  // by another thread of a forked child
        if (!value_.compare_exchange_strong(other, made.get(), std::memory_order_acq_rel)) return *other;
        return *made.release();
    }

private:
    std::atomic<const Value*> value_{nullptr};
    std::mutex mutex_;
};

/// R for many columns at once, each made when it is first used.
struct PackedTriangle {
    MadeOnce<PackedFactor> forward;  ///< solves with R^T
    MadeOnce<PackedFactor> back;     ///< solves with R
};

/// What a HessianFactor holds.
struct FactorState {
    Index size = 0;
    std::vector<Index> columns;  ///< column j of the triangle stands for column columns[j] of phi
    RowMatrix triangle;          ///< R
    double condition = 0.0;
    double error_estimate = std::numeric_limits<double>::quiet_NaN();
    std::shared_ptr<const Held> held = nullptr;                 ///< none: nothing is held
    std::shared_ptr<const FactorState> origin = nullptr;        ///< of updates: what the first one started from
    std::shared_ptr<const HessianAccumulator> added = nullptr;  ///< all rows since
    std::unique_ptr<PackedTriangle> packed = nullptr;           ///< ask packed() and packed_back()
    std::unique_ptr<Workspaces> workspaces = nullptr;           ///< of scoring
};

/// R in the form that scoring takes, made by the first call.
const PackedFactor& packed(const FactorState& state);

/// R with rows and columns in reversed order, which is as a transposed triangle is: with columns() in reversed order
/// too, it solves R y = z as the other one solves R^T z = phi.
const PackedFactor& packed_back(const FactorState& state);

/// The one way to a factor: computes the condition number unless it is given.
/// @throws InvalidInput  when R is not finite with a positive diagonal: numbers over- or underflowed
HessianFactor make_factor(FactorState state);

}  // namespace lpr_fast
