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

/// A value that is made once, when a thread first asks for it. A forked child does not take the lock, as in Pool.
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
        const Value* other = nullptr;  // made by another thread of a forked child
        if (!value_.compare_exchange_strong(other, made.get(), std::memory_order_acq_rel)) return *other;
        return *made.release();
    }

private:
    std::atomic<const Value*> value_{nullptr};
    std::mutex mutex_;
};

/// R packed for solving many columns at once; each form is made when it is first used.
struct PackedTriangle {
    MadeOnce<PackedFactor> forward;  ///< solves with R^T
    MadeOnce<PackedFactor> back;     ///< solves with R
};

/// State of a HessianFactor.
struct FactorState {
    Index size = 0;
    std::vector<Index> columns;  ///< column j of the triangle stands for column columns[j] of phi
    RowMatrix triangle;          ///< R
    double condition = 0.0;
    double error_estimate = std::numeric_limits<double>::quiet_NaN();
    std::shared_ptr<const Held> held = nullptr;                 ///< null if no predictions are held
    std::shared_ptr<const FactorState> origin = nullptr;        ///< the factor before the first update; null if none
    std::shared_ptr<const HessianAccumulator> added = nullptr;  ///< all rows of the updates since
    std::unique_ptr<PackedTriangle> packed = nullptr;           ///< use packed() and packed_back()
    std::unique_ptr<Workspaces> workspaces = nullptr;           ///< scratch memory of scoring
};

/// R packed for solving R^T z = phi; made by the first call.
const PackedFactor& packed(const FactorState& state);

/// R packed for solving R y = z; made by the first call. Rows and columns of R are in reversed order, which makes it a
/// transposed triangle; z and y must be reversed, too.
const PackedFactor& packed_back(const FactorState& state);

/// Makes a factor; all factors are made here. Computes the condition number unless it is given.
/// @throws InvalidInput  unless R is finite with a positive diagonal: otherwise numbers over- or underflowed
HessianFactor make_factor(FactorState state);

}  // namespace lpr_fast
