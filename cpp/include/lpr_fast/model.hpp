#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// What a model file says of itself.
struct ModelInfo {
    std::string kind;               ///< "sparse_kernel" or "linear"
    std::string loss;               ///< "total" or "per_atom": sets the scale of the rigidities
    std::vector<int> species;       ///< centre species (atomic numbers), ascending
    Index n_features = 0;           ///< D, the length of an environment's features
    Index size = 0;                 ///< M, the number of weights
    Index n_dropped = 0;            ///< redundant active environments
    double regularizer = 0.0;       ///< mu
    double zeta = 0.0;              ///< power of the kernel; 0 for linear models
    double condition_number = 0.0;  ///< estimate, 2-norm, of R
    bool has_energies = false;      ///< whether local energies can be scored
    bool has_residual = false;      ///< whether residuals can be scored: kernel models
    std::vector<double> baseline;   ///< energy of an atom of each species; empty without energies
    std::string hypers;      ///< of featomic's SOAP power spectrum, as JSON; empty for features of another origin
    std::string provenance;  ///< where the model comes from, as JSON
};

/// Where scores go: one number for each environment. What has no data is not computed.
struct Scores {
    VectorView lpr;       ///< 1 / (phi^T H^-1 phi); infinite where phi vanishes
    VectorView variance;  ///< mu / lpr, in units of the kernel's prior variance
    VectorView residual;  ///< k(i,i) - k_Mi^T K_MM^-1 k_Mi, between 0 and 1; kernel models
    VectorView energy;    ///< local energy, the baseline of the species included; models with energies
};

struct ModelState;

/// A fitted model, as its file holds it.
///
/// Immutable and cheap to copy; any number of threads may score with one object at the same time. Nothing is factorised
/// when a file is read, and nothing is allocated in score() after the first calls. The bits of an environment's scores
/// depend on its features and the model alone, within one instruction set (cpu_info()).
class Model {
public:
    /// Maps the file into memory, checks it and packs what scoring needs. Afterwards the file is not needed; while it
    /// is read, it must not be shortened.
    /// @throws InvalidInput  for files that cannot be read, are something else, truncated, changed, or newer
    static Model load(const std::string& path);

    /// The same from a file's content, which is not needed afterwards.
    /// @param name  what error messages call it
    static Model from_bytes(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name);

    const ModelInfo& info() const&;
    const ModelInfo& info() const&& = delete;

    /// Scores of environments. Where features are zero, or the species has no active environments, phi vanishes: lpr is
    /// infinite, variance 0, residual 1 and energy the baseline.
    /// @param features  (n, D), as the descriptor gives them: kernel models normalise them here
    /// @param species   (n,), atomic numbers of the centres
    /// @throws InvalidInput  for NaN, infinity and entries above 1e140, species that the model does not know (naming
    /// the row), shapes that do not fit, and scores that this model cannot give
    void score(ConstMatrixView features, const int* species, const Scores& scores, int n_threads = 0) const;

    /// phi^T H^-1 phi and what follows for rows phi (n, M) of any origin, sums over atoms among them: lpr, variance,
    /// and the sum of weights times phi as energy (no baseline). There is no residual.
    void score_phi(ConstMatrixView phi, const Scores& scores, int n_threads = 0) const;

    /// R of the whole model, for covariances and updates.
    const HessianFactor& factor() const&;
    const HessianFactor& factor() const&& = delete;

private:
    explicit Model(std::shared_ptr<const ModelState> state);
    std::shared_ptr<const ModelState> state_;
};

}  // namespace lpr_fast
