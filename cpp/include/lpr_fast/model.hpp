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

/// What a model file says of itself.
struct ModelInfo {
    std::string kind;               ///< "sparse_kernel" or "linear"
    std::string method;             ///< "qr" or "gram": how H was factorised
    std::string loss;               ///< "total", "per_atom" or "noise": sets the scale of the rigidities
    std::vector<int> species;       ///< centre species (atomic numbers), ascending
    Index n_features = 0;           ///< D, the length of an environment's features
    Index size = 0;                 ///< M, the number of weights
    Index n_dropped = 0;            ///< redundant active environments
    double regularizer = 0.0;       ///< mu
    double zeta = 0.0;              ///< power of the kernel; 0 for linear models
    double condition_number = 0.0;  ///< estimate, 2-norm, of R
    bool has_energies = false;      ///< whether local energies can be scored
    Index n_members = 0;            ///< K, weight vectors of a committee beside the model's own: spread
    bool has_constants = false;     ///< linear models: phi of a species begins with a one, n_features do not count it
    bool has_held = false;          ///< whether rows are held, as where there are several species: lpr_held
    bool has_residual = false;      ///< whether residuals can be scored: kernel models
    double prior_variance = 0.0;    ///< of kernel or weights, energy^2: sigma; 0 unless calibrated or loss is "noise"
    bool projected_sigma = false;   ///< whether sigma counts the residual in: a projected process was calibrated
    std::vector<double> baseline;   ///< energy of an atom of each species; empty without energies
    std::string descriptor;         ///< "soap", "array", or empty for features of another origin
    std::string hypers;             ///< of featomic's SOAP power spectrum, as JSON; empty for other descriptors
    bool has_radial_table = false;  ///< whether the model knows the radial integrals of its SOAP: not from version 1
    bool has_reference = false;  ///< whether the model knows how its training environments score: percentiles, verdicts
    std::string provenance;      ///< where the model comes from, as JSON
};

/// What to make of an environment's scores; numbers stand for it where scores go.
enum class Verdict {
    pinned = 0,  ///< by the training data
    loose = 1,   ///< less rigid than all but few of the training environments of its species
    unlike = 2,  ///< the training set: a residual as few training environments have, so that lpr means nothing
};

/// Where scores go: one number for each environment. What has no data is not computed.
struct Scores {
    VectorView lpr{};           ///< 1 / (phi^T H^-1 phi); infinite where phi vanishes
    VectorView lpr_held{};      ///< the same with the model's held rows fixed: see HessianFactor::holding()
    VectorView variance{};      ///< mu / lpr, in units of the kernel's prior variance
    VectorView sigma{};         ///< standard deviation of local_energy, in its unit; where there is a prior_variance
    VectorView residual{};      ///< k(i,i) - k_Mi^T K_MM^-1 k_Mi, between 0 and 1; kernel models
    VectorView local_energy{};  ///< the baseline of the species included; models with energies
    VectorView percentile{};    ///< percent of the species' training environments that are less rigid; with a reference
    VectorView verdict{};       ///< the number of a Verdict; models with a reference
    VectorView spread{};        ///< standard deviation of local_energy over the members; models with members
    MatrixView member_energies{};  ///< (n, K), local_energy by the weights of each member; models with members
};

/// A score that is differentiated.
enum class Quantity { lpr, lpr_held, variance, residual };

struct ModelState;

/// A fitted model, as its file holds it.
///
/// Immutable and cheap to copy; any number of threads may score with one object at the same time. Nothing is factorised
/// when a file is read, factors are packed when they are first used, and nothing is allocated in score() after the
/// first calls. The bits of an environment's scores
/// depend on its features and the model alone, within one instruction set (cpu_info()).
class Model {
public:
    /// Maps the file into memory, checks it and copies what the model needs. Afterwards the file is not needed; while
    /// it is read, it must not be shortened.
    /// @throws InvalidInput  for files that cannot be read, are something else, truncated, changed, or newer
    static Model load(const std::string& path);

    /// The same from a file's content, which is not needed afterwards.
    /// @param name  what error messages call it
    static Model from_bytes(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name);

    /// The same from parts without a file.
    static Model from_parts(const ModelParts& parts);

    /// What from_parts() and the writer of a file take, in version 2, sections that this version does not know
    /// included. Arrays belong to the model.
    const ModelParts& parts() const&;
    const ModelParts& parts() const&& = delete;

    const ModelInfo& info() const&;
    const ModelInfo& info() const&& = delete;

    /// Scores of environments. Where features are zero, or the species has no active environments, phi vanishes: lpr is
    /// infinite, variance 0, residual 1 and the baseline as local energy.
    /// @param features  (n, D), as the descriptor gives them: kernel models normalise them here
    /// @param species   (n,), atomic numbers of the centres
    /// @throws InvalidInput  for NaN, infinity and entries above 1e140, species that the model does not know (naming
    /// the row), shapes that do not fit, and scores that this model cannot give
    void score(ConstMatrixView features, const int* species, const Scores& scores, int n_threads = 0) const;

    /// Rows phi of environments: zero outside the columns of their species.
    /// @param out  (n, M)
    /// @throws InvalidInput  as score()
    void phi(ConstMatrixView features, const int* species, MatrixView out, int n_threads = 0) const;

    /// phi^T H^-1 phi and what follows for rows phi (n, M) of any origin, sums over atoms among them: lpr, lpr_held,
    /// variance, and the sum of weights times phi as local energy (no baseline), likewise of members, and their spread.
    /// There is no residual, sigma, percentile or verdict.
    void score_phi(ConstMatrixView phi, const Scores& scores, int n_threads = 0) const;

    /// R of the whole model, for covariances and updates.
    const HessianFactor& factor() const&;
    const HessianFactor& factor() const&& = delete;

    /// (M,); nothing without energies. Belongs to the model.
    ConstVectorView weights() const&;
    ConstVectorView weights() const&& = delete;

    /// (K, M), weights of the members of a committee; nothing without them. Belongs to the model.
    ConstMatrixView members() const&;
    ConstMatrixView members() const&& = delete;

    /// (M, D), features of the active environments, species by species; nothing for linear models. Belongs to the
    /// model.
    ConstMatrixView active() const&;
    ConstMatrixView active() const&& = delete;

    /// Radial integrals of the model's SOAP power spectrum. Belongs to the model.
    /// @throws InvalidInput  for a model that was fitted to features of another origin, or whose file is of version 1
    const RadialTable& radial_table() const&;
    const RadialTable& radial_table() const&& = delete;

    /// For the library's own use.
    const ModelState& state() const { return *state_; }

private:
    explicit Model(std::shared_ptr<const ModelState> state);
    std::shared_ptr<const ModelState> state_;
};

}  // namespace lpr_fast
