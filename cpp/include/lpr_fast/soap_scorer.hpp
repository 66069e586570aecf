#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/model.hpp"
#include "lpr_fast/soap.hpp"

namespace lpr_fast {

/// What to do about centers of species that the model does not know, and about centers near them.
enum class UnknownSpecies {
    refuse,  ///< throw for the centers; neighbours are left out
    mark     ///< NaN for centers, and for those that have such an atom within the cutoff; sites (number 0) are no atoms
};

/// Where predictions by K vectors of weights go; n is the number of centers that are summed.
struct Predictions {
    MatrixView energies{};  ///< (n, K) local energies: the baseline of the species and phi^T w
    MatrixView forces{};   ///< (K n_atoms, 3): minus the derivatives of the energies' sum with respect to positions, of
                           ///< atoms that are no centers too; not computed without data
    MatrixView virials{};  ///< (3 K, 3): minus the derivatives with respect to strain; not computed without data
    VectorView totals{};   ///< (K,) total energies, the sums of the local ones; not computed without data
    bool with_baseline = true;  ///< false: energies and totals are of phi^T w alone, for weights that are no energies
};

/// A sum of scores, or a smooth extreme of them.
struct ScoreSum {
    Quantity quantity = Quantity::lpr;
    std::optional<ConstVectorView> coefficients{};  ///< (n,) of the sum; without them all are one
    /// p > 0 of a smooth extreme instead of the sum: (sum q^-p)^(-1/p), below the smallest of rigidities by at most a
    /// factor n^(1/p), or (sum q^p)^(1/p), above the largest of variances and residuals.
    std::optional<double> power{};
};

/// Where the gradient of a sum of scores goes.
struct ScoreGradient {
    VectorView values{};  ///< (n,) the scores themselves, with the bits of score()
    MatrixView forces{};  ///< (n_atoms, 3): minus the derivatives of the sum with respect to positions
    MatrixView virial{};  ///< (3, 3): minus the derivatives with respect to strain; not computed without data
};

/// Describes atoms by the model's SOAP power spectrum and scores them, some environments at a time: nothing of the size
/// of atoms times features exists.
///
/// Immutable and cheap to copy; any number of threads may use one object at the same time. The bits of an atom's scores
/// depend on its structure and the model alone, within one instruction set (cpu_info()).
class SoapScorer {
public:
    /// @throws InvalidInput  for a model that was fitted to features of another origin, or has no radial table
    explicit SoapScorer(Model model);

    const Model& model() const&;
    const Model& model() const&& = delete;
    const Soap& soap() const&;
    const Soap& soap() const&& = delete;

    /// Atoms farther apart do not see each other.
    double cutoff() const { return soap().cutoff(); }
    /// D
    Index n_features() const { return soap().n_features(); }

    /// Folded features of the centers, not normalised: atoms of species that the model does not know are left out of
    /// all environments, and get zeros.
    /// @param out  (n_centers, D)
    /// @throws InvalidInput  as Structure, and for shapes that do not fit
    void features(const Configuration& atoms, MatrixView out, int n_threads = 0) const;

    /// Scores of the centers.
    /// @param scores  each empty, or one number for each center
    /// @throws InvalidInput  as Structure, for centers of species that the model does not know, naming the atom, and
    /// for scores that this model cannot give
    void score(const Configuration& atoms, const Scores& scores, int n_threads = 0) const;

    /// The same for parts of structures that were made with the model's species and cutoff, one after the other.
    void score(
        const std::vector<Part>& parts, const Scores& scores, UnknownSpecies unknown = UnknownSpecies::refuse,
        int n_threads = 0
    ) const;

    /// Local energies, their sum over the centers of a part of a structure, and its forces and virials, in one pass.
    /// They have the bits that Python's `predict` and lpr_fast_predict() give. Memory: outputs, and some environments
    /// for each thread. The bits do not depend on the number of threads.
    /// @param weights  (K, M); without them, the model's own
    /// @throws InvalidInput  as score(), for models without energies where weights or the baseline are wanted of them,
    /// for descriptors that are not differentiable (see Soap::gradient) where forces are wanted, and shapes that do not
    /// fit
    void predict(
        const Part& part, const std::optional<ConstMatrixView>& weights, const Predictions& out, int n_threads = 0
    ) const;

    /// A sum of scores of centers of a part of a structure, and its gradient: by the way back through phi^T H^-1 phi,
    /// kernels and features, at about twice the cost of scores. An LPR that is infinite, or above 1e140, has no
    /// gradient: zeros.
    /// @return the sum, or smooth extreme
    /// @throws InvalidInput  as predict(), for scores that the model cannot give, coefficients that are not finite, and
    /// a power that is not positive and finite, or given with coefficients
    double score_gradient(const Part& part, const ScoreSum& sum, const ScoreGradient& out, int n_threads = 0) const;

private:
    struct State;
    std::shared_ptr<const State> state_;
};

}  // namespace lpr_fast
