#pragma once

#include <functional>
#include <vector>

#include "lpr_fast/gradient_rows.hpp"
#include "soap/feature_jacobian.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {

/// A center, and what of it is wanted. Keeps its memory.
struct DifferentiatedCenter {
    Environment environment;
    WantedRows wanted;
    bool is_seen = false;  ///< whether there are any rows
};

/// Room of one thread.
struct JacobianWorkspace {
    Surroundings surroundings;
    FeatureJacobian jacobian;
};

/// Rows of a structure that are wanted, in order: of forces, then of virials.
class RowTargets {
public:
    /// Clears the rows.
    /// @throws InvalidInput  for outputs that do not fit
    RowTargets(const GradientRows& out, const Structure& structure, Index n_columns);

    const WantedAtoms& wanted() const { return wanted_; }
    Index count() const { return forces_.rows + virials_.rows; }
    /// As WantedRows::target numbers them.
    double* row(Index target) const {
        return target < forces_.rows ? forces_.row(target) : virials_.row(target - forces_.rows);
    }

private:
    MatrixView forces_, virials_;
    WantedAtoms wanted_;
};

/// Goes through the centers of a structure, some at a time: of one structure always the same ones, so that sums over
/// them have the same bits whatever is wanted of each.
class CenterBatches {
public:
    CenterBatches(const SoapState& soap, const Structure& structure, const WantedAtoms& wanted, int n_threads);

    /// Calls use(centers) for one batch after another.
    void for_each(const std::function<void(const std::vector<const DifferentiatedCenter*>&)>& use);

private:
    void prepare(const Center& center, DifferentiatedCenter& prepared);

    const SoapState& soap_;
    const Structure& structure_;
    const WantedAtoms& wanted_;
    const int n_threads_;
    std::vector<Center> centers_;
    std::vector<DifferentiatedCenter> batch_;
    Pool<Surroundings> room_;
};

}  // namespace lpr_fast
