#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lpr_fast/model.hpp"
#include "lpr_fast/soap.hpp"

namespace lpr_fast {

/// What to do with atoms of species that the model does not know.
enum class UnknownSpecies {
    refuse,  ///< centers of such species throw; neighbours of such species are left out
    mark     ///< NaN for such centers and for centers that have such an atom, not a site (number 0), within the cutoff
};

/// Outputs of SoapScorer::predict(), for n centers and K vectors of weights w. An output without data is not stored.
struct Predictions {
    MatrixView energies{};      ///< (n, K) local energies: baseline of the species + phi^T w
    MatrixView forces{};        ///< (K n_atoms, 3) minus the derivatives of the totals with respect to all positions
    MatrixView virials{};       ///< (3 K, 3) minus the derivatives of the totals with respect to strain; needs forces
    VectorView totals{};        ///< (K,) total energies: the sums of the local energies over the centers
    bool with_baseline = true;  ///< false: without baselines, for weights that do not predict energies
};

/// A weighted sum of scores q_i, or a smooth extreme of them.
struct ScoreSum {
    Quantity quantity = Quantity::lpr;              ///< the score q
    std::optional<ConstVectorView> coefficients{};  ///< (n,) of the sum; all one if not given
    /// If given, a smooth extreme with power p > 0 takes the place of the sum. For rigidities it is the smooth minimum
    /// (sum q^-p)^(-1/p), which is smaller than the minimum by at most a factor n^(1/p). For variances and residuals it
    /// is the smooth maximum (sum q^p)^(1/p).
    std::optional<double> power{};
};

/// Outputs of SoapScorer::score_gradient(), for n centers.
struct ScoreGradient {
    VectorView values{};  ///< (n,) the scores themselves, with the bits of score()
    MatrixView forces{};  ///< (n_atoms, 3): minus the derivatives of the sum with respect to positions
    MatrixView virial{};  ///< (3, 3): minus the derivatives with respect to strain; not computed without data
};

/// Describes atoms by the SOAP power spectrum of a model and scores them, some environments at a time. The features of
/// all atoms are never stored together.
///
/// Immutable and cheap to copy; any number of threads may use one object at the same time. The bits of an atom's scores
/// depend on its structure and the model alone, within one instruction set (cpu_info()).
class SoapScorer {
public:
    /// @throws InvalidInput  for a model of features of another origin, or without a radial table
    explicit SoapScorer(Model model);

    /// The model.
    const Model& model() const&;
    const Model& model() const&& = delete;
    /// The descriptor of the model.
    const Soap& soap() const&;
    const Soap& soap() const&& = delete;

    /// Radius of an environment, in the unit of positions.
    double cutoff() const { return soap().cutoff(); }
    /// D, the number of features of an environment.
    Index n_features() const { return soap().n_features(); }

    /// Computes the folded features of the centers, not normalised. Atoms of species that the model does not know are
    /// left out of all environments, and their own features are zero.
    /// @param out  (n_centers, D)
    /// @throws InvalidInput  as Structure, for atoms at the same position, and wrong shapes
    void features(const Configuration& atoms, MatrixView out, int n_threads = 0) const;

    /// Scores the centers.
    /// @param scores     outputs of n_centers numbers
    /// @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
    /// @throws InvalidInput  as features(), for centers of species that the model does not know (naming the atom), and
    /// scores that this model does not have
    void score(const Configuration& atoms, const Scores& scores, int n_threads = 0) const;

    /// Scores parts of structures that were made with the model's species and cutoff. The rows of the outputs are those
    /// of the parts, one part after the other.
    /// @throws InvalidInput  as above; with UnknownSpecies::mark, centers of unknown species do not throw
    void score(
        const std::vector<Part>& parts, const Scores& scores, UnknownSpecies unknown = UnknownSpecies::refuse,
        int n_threads = 0
    ) const;

    /// Computes local energies, their sum over the centers of a part of a structure, and its forces and virials, in one
    /// pass. The bits are those of Python's `predict` and lpr_fast_predict(), for any number of threads. Memory: the
    /// outputs, and some environments for each thread.
    /// @param weights  (K, M); the model's own weights if not given
    /// @throws InvalidInput  as score(), for models without energies if weights are not given or a baseline is
    /// requested, for forces of descriptors that are not differentiable (see Soap::gradient), for virials without
    /// forces, and wrong shapes
    void predict(
        const Part& part, const std::optional<ConstMatrixView>& weights, const Predictions& out, int n_threads = 0
    ) const;

    /// Computes a sum of scores over the centers of a part of a structure, and its gradient, by reverse-mode
    /// differentiation of phi^T H^-1 phi, kernels and features. This takes about twice the time of score(). The
    /// gradient of an LPR that is infinite or above 1e140 is set to zero.
    /// @return the sum, or the smooth extreme
    /// @throws InvalidInput  as predict(), for scores that the model does not have, coefficients that are not finite, a
    /// power that is not positive and finite, and a power together with coefficients
    double score_gradient(const Part& part, const ScoreSum& sum, const ScoreGradient& out, int n_threads = 0) const;

private:
    struct State;
    std::shared_ptr<const State> state_;
};

}  // namespace lpr_fast
