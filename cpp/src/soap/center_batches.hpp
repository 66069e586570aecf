#pragma once

#include <functional>
#include <vector>

#include "lpr_fast/gradient_rows.hpp"
#include "soap/feature_jacobian.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {

/// A center and its wanted rows. Its memory is reused.
struct DifferentiatedCenter {
    Environment environment;
    WantedRows wanted;
    bool is_seen = false;  ///< whether there are any rows
};

/// Scratch memory of one thread.
struct JacobianWorkspace {
    Surroundings surroundings;
    FeatureJacobian jacobian;
};

/// The output rows of a structure: rows of forces, then rows of virials.
class RowTargets {
public:
    /// Sets the rows to zero.
    /// @throws InvalidInput  for outputs of wrong shapes, and for atoms that do not exist or occur twice
    RowTargets(const GradientRows& out, const Structure& structure, Index n_columns);

    const WantedAtoms& wanted() const { return wanted_; }
    Index count() const { return forces_.rows + virials_.rows; }
    /// Row `target`, an index from WantedRows::target().
    double* row(Index target) const {
        return target < forces_.rows ? forces_.row(target) : virials_.row(target - forces_.rows);
    }

private:
    MatrixView forces_, virials_;
    WantedAtoms wanted_;
};

/// Batches of the centers of a structure. The batches of a structure are always the same, so that sums over them have
/// the same bits for any choice of wanted rows.
class CenterBatches {
public:
    CenterBatches(const SoapState& soap, const Structure& structure, const WantedAtoms& wanted, int n_threads);

    /// Calls use(centers) for each batch, in order, with those of its centers that have rows.
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
