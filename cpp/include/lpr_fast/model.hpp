#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/model_parts.hpp"
#include "lpr_fast/radial_table.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Facts about a model, from its file.
struct ModelInfo {
    std::string kind;               ///< "sparse_kernel" or "linear"
    std::string method;             ///< "qr" or "gram": how H was factorised
    std::string loss;               ///< "total", "per_atom" or "noise": the training loss, sets the scale of the LPR
    std::vector<int> species;       ///< atomic numbers of the centers that the model knows, ascending
    Index n_features = 0;           ///< D, the number of features of an environment
    Index size = 0;                 ///< M, the number of weights
    Index n_dropped = 0;            ///< number of redundant active environments, which were dropped
    double regularizer = 0.0;       ///< mu
    double zeta = 0.0;              ///< power of the kernel; 0 for linear models
    double condition_number = 0.0;  ///< estimate of the 2-norm condition number of R
    bool has_energies = false;      ///< whether the model gives local energies
    Index n_members = 0;            ///< K, the number of members of a committee, which give the spread; 0 without
    bool has_constants = false;     ///< linear models: phi of a species begins with a constant 1, not part of D
    bool has_held = false;          ///< whether the model gives lpr_held, as models of several species do
    bool has_residual = false;      ///< whether the model gives residuals, as all kernel models do
    double prior_variance = 0.0;    ///< of kernel or weights, energy^2, for sigma; 0 unless calibrated or loss "noise"
    bool projected_sigma = false;   ///< whether sigma includes the residual (projected process)
    std::vector<double> baseline;   ///< energy per atom of each species; empty for models without energies
    std::string descriptor;         ///< "soap", "array", or empty for features of another origin
    std::string hypers;             ///< parameters of featomic's SOAP power spectrum, as JSON; empty without SOAP
    bool has_radial_table = false;  ///< whether the model has the radial integrals of its SOAP; false for version 1
    bool has_reference = false;     ///< whether the model has the scores of its training set: percentiles, verdicts
    std::string provenance;         ///< origin of the model, as JSON
};

/// Judgement of an environment by its percentile and residual. Scores::verdict holds its number.
enum class Verdict {
    pinned = 0,  ///< the training data determine the prediction
    loose = 1,   ///< less rigid than nearly all training environments of its species
    unlike = 2,  ///< unlike the training set: a residual larger than nearly all of theirs, so its LPR means nothing
};

/// Outputs of Model::score() and SoapScorer::score(): one number for each environment. An output without data is not
/// computed. An output that the model does not have throws.
struct Scores {
    VectorView lpr{};              ///< (n,) 1 / (phi^T H^-1 phi); infinite if phi = 0
    VectorView lpr_held{};         ///< (n,) LPR while held predictions stay fixed: see HessianFactor::holding()
    VectorView variance{};         ///< (n,) mu / lpr, in units of the prior variance
    VectorView sigma{};            ///< (n,) standard deviation of local_energy, in its unit; needs a prior_variance
    VectorView residual{};         ///< (n,) k(i,i) - k_Mi^T K_MM^-1 k_Mi, from 0 to 1; kernel models
    VectorView local_energy{};     ///< (n,) baseline of the species + phi^T weights; models with energies
    VectorView percentile{};       ///< (n,) percent of training environments of its species that are less rigid
    VectorView verdict{};          ///< (n,) number of a Verdict; like percentile, needs a reference
    VectorView spread{};           ///< (n,) standard deviation of local_energy over the members; models with members
    MatrixView member_energies{};  ///< (n, K) local_energy by the weights of each member; models with members
};

/// The scores that can be differentiated.
enum class Quantity { lpr, lpr_held, variance, residual };

struct ModelState;

/// A fitted model, as its file stores it.
///
/// Immutable and cheap to copy; any number of threads may use one object at the same time. The file contains the
/// factors, which are packed when they are first used; after its first calls, score() allocates nothing. The bits of an
/// environment's scores depend on its features and the model alone, within one instruction set (cpu_info()).
class Model {
public:
    /// Reads a model file. The file is not needed afterwards; it must not be shortened during the call.
    /// @throws InvalidInput  for files that cannot be read, are not model files, are truncated or changed, or come from
    /// a newer version
    static Model load(const std::string& path);

    /// Reads the content of a model file, which is not needed afterwards.
    /// @param name  name of the model in error messages
    /// @throws InvalidInput  as load()
    static Model from_bytes(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name);

    /// Makes a model from the arrays and the text of a file.
    /// @throws InvalidInput  for parts that are missing or do not belong together
    static Model from_parts(const ModelParts& parts);

    /// The arrays and the text of the model's file, in version 2, including sections that this version does not know.
    /// The arrays belong to the model.
    const ModelParts& parts() const&;
    const ModelParts& parts() const&& = delete;

    /// Facts about the model.
    const ModelInfo& info() const&;
    const ModelInfo& info() const&& = delete;

    /// Scores environments. If the features are zero, or the species has no active environments, phi = 0: then lpr is
    /// infinite, variance is 0, residual is 1 and local_energy is the baseline.
    /// @param features   (n, D) from the descriptor, not normalised; kernel models normalise them
    /// @param species    (n,) atomic numbers of the centers
    /// @param scores     outputs
    /// @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
    /// @throws InvalidInput  for NaN, infinity and entries above 1e140 (naming the row), species that the model does
    /// not know (naming the row), wrong shapes, and scores that this model does not have
    void score(ConstMatrixView features, const int* species, const Scores& scores, int n_threads = 0) const;

    /// Computes the rows phi of environments, which are zero outside the columns of their species.
    /// @param out  (n, M)
    /// @throws InvalidInput  as score()
    void phi(ConstMatrixView features, const int* species, MatrixView out, int n_threads = 0) const;

    /// Scores rows of phi of any origin, for instance sums over atoms. Gives lpr, lpr_held and variance; phi^T weights
    /// as local_energy and member_energies, without a baseline; and spread. There is no residual, sigma, percentile or
    /// verdict.
    /// @param phi  (n, M)
    /// @throws InvalidInput  as score()
    void score_phi(ConstMatrixView phi, const Scores& scores, int n_threads = 0) const;

    /// The factor of the whole Hessian, for covariances and updates.
    const HessianFactor& factor() const&;
    const HessianFactor& factor() const&& = delete;

    /// (M,) the weights; empty for models without energies. The array belongs to the model.
    ConstVectorView weights() const&;
    ConstVectorView weights() const&& = delete;

    /// (K, M) weights of the members of a committee; empty for models without members. The array belongs to the model.
    ConstMatrixView members() const&;
    ConstMatrixView members() const&& = delete;

    /// (M, D) normalised features of the active environments, sorted by species; empty for linear models. The array
    /// belongs to the model.
    ConstMatrixView active() const&;
    ConstMatrixView active() const&& = delete;

    /// Radial integrals of the model's SOAP power spectrum. The table belongs to the model.
    /// @throws InvalidInput  for a model of features of another origin, or from a file of version 1
    const RadialTable& radial_table() const&;
    const RadialTable& radial_table() const&& = delete;

    /// Internal.
    const ModelState& state() const { return *state_; }

private:
    explicit Model(std::shared_ptr<const ModelState> state);
    std::shared_ptr<const ModelState> state_;
};

}  // namespace lpr_fast
