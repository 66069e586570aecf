#pragma once

#include <memory>
#include <optional>

#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

struct KernelScorerState;

/// Outputs of KernelScorer::score(): one number for each row of features. An output without data is not computed.
struct KernelScores {
    FormScores forms{};            ///< LPR and variance, from phi^T H^-1 phi
    VectorView explained{};        ///< (n,) phi^T P^-1 phi, which is k(i,i) minus the residual
    VectorView energies{};         ///< (n,) phi^T weights
    MatrixView member_energies{};  ///< (n, K) phi^T weights of each member
};

/// Scores environments of one species from features. The kernels phi_m = (x . x_m)^zeta of a block of rows stay in the
/// cache and are not stored.
///
/// The active set is packed once, a factor when it is first used. Immutable and cheap to copy; any number of threads
/// may use one object at the same time, and nothing is allocated after their first calls. The bits of a row depend on
/// the row and the model alone, within one instruction set (cpu_info()).
class KernelScorer {
public:
    /// @param active   (M, D) features of the active environments, M >= 1
    /// @param zeta     power of the kernel, > 0; if it is not an integer, scalar products must not be negative
    /// @param factor   of H, of size M
    /// @param prior    factorize_prior(K_MM), of size M; needed for `explained`
    /// @param weights  (M,); needed for `energies`
    /// @param members  (K, M) weights of the members of a committee, needed for `member_energies`; these have the bits
    /// of `energies` of a scorer with the same weights
    /// @throws InvalidInput  for sizes that differ, NaN and infinity
    KernelScorer(
        ConstMatrixView active, double zeta, const HessianFactor& factor,
        const std::optional<HessianFactor>& prior = std::nullopt, std::optional<ConstVectorView> weights = std::nullopt,
        std::optional<ConstMatrixView> members = std::nullopt
    );

    /// Scores rows of features.
    /// @param features  (n, D); n = 0 is allowed
    /// @throws InvalidInput  for NaN, infinity and entries above 1e140 (naming the row), wrong shapes, scores that this
    /// scorer cannot give, and a scalar product below -1e-10 if zeta is not an integer
    void score(ConstMatrixView features, const KernelScores& scores, int n_threads = 0) const;

    /// Computes the rows phi, with the bits that score() uses.
    /// @param out  (n, M)
    /// @throws InvalidInput  as score()
    void phi(ConstMatrixView features, MatrixView out, int n_threads = 0) const;

    /// Internal.
    const KernelScorerState& state() const { return *state_; }

private:
    std::shared_ptr<const KernelScorerState> state_;
};

}  // namespace lpr_fast
