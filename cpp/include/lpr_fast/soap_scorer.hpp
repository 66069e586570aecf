#pragma once

#include <memory>
#include <vector>

#include "lpr_fast/model.hpp"
#include "lpr_fast/soap.hpp"

namespace lpr_fast {

/// What to do about centers of species that the model does not know, and about centers near them.
enum class UnknownSpecies {
    refuse,  ///< throw for the centers; neighbours are left out
    mark     ///< NaN for centers, and for those that have such an atom within the cutoff; sites (number 0) are no atoms
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

private:
    struct State;
    std::shared_ptr<const State> state_;
};

}  // namespace lpr_fast
