#pragma once

#include <memory>
#include <optional>

#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct KernelScorerState;

/// Where scores go: one number for each row of features. What has no data is not computed.
struct KernelScores {
    FormScores forms{};            ///< of phi^T H^-1 phi
    VectorView explained{};        ///< phi^T P^-1 phi, which is k(i,i) - residual
    VectorView energies{};         ///< phi^T weights
    MatrixView member_energies{};  ///< (n, K), phi^T weights of every member
};

/// Scores straight from features: phi_m = (x . x_m)^zeta never leaves the cache.
///
/// The active set is packed once, factors when they are first used. Immutable, and cheap to copy; any number of threads
/// may use one object at the same time, and nothing is allocated after their first calls. The bits of a row depend on
/// the row and the model alone, within one instruction set (cpu_info()).
class KernelScorer {
public:
    /// @param active   (M, D), M >= 1
    /// @param zeta     > 0; one that is not an integer is for scalar products that are not negative
    /// @param factor   of size M
    /// @param prior    of size M: factorize_prior(K_MM); without it, nothing is said to be explained
    /// @param weights  (M,); without them there are no energies
    /// @param members  (K, M), weights of other models of the same kernels: their energies have the bits of a scorer
    /// with these weights
    /// @throws InvalidInput  for sizes that do not fit, NaN and infinity
    KernelScorer(
        ConstMatrixView active, double zeta, const HessianFactor& factor,
        const std::optional<HessianFactor>& prior = std::nullopt, std::optional<ConstVectorView> weights = std::nullopt,
        std::optional<ConstMatrixView> members = std::nullopt
    );

    /// @param features  (n, D); n = 0 is allowed
    /// @throws InvalidInput  for NaN, infinity and entries above 1e140 (naming the row), shapes that do not fit, scores
    /// that this scorer cannot give, and a scalar product below -1e-10 where zeta is not an integer
    void score(ConstMatrixView features, const KernelScores& scores, int n_threads = 0) const;

    /// The rows phi themselves, with the same bits.
    /// @param out  (n, M)
    void phi(ConstMatrixView features, MatrixView out, int n_threads = 0) const;

    /// For the library's own use.
    const KernelScorerState& state() const { return *state_; }

private:
    std::shared_ptr<const KernelScorerState> state_;
};

}  // namespace lpr_fast
