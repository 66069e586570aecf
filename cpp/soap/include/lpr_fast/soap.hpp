#pragma once

#include <array>
#include <memory>

#include "lpr_fast/model.hpp"

namespace lpr_fast {

/// Atoms, of which the first n_centers are described; the others are neighbours alone (ghost atoms, halos).
struct Configuration {
    ConstMatrixView positions;       ///< (n_atoms, 3), in the unit of the model's cutoff (usually Angstrom)
    const int* species = nullptr;    ///< (n_atoms,), atomic numbers
    Index n_centers = 0;             ///< at most n_atoms
    std::array<double, 9> cell{};    ///< three vectors, row by row; used where periodic
    std::array<bool, 3> periodic{};  ///< along which vectors; all false for a cluster, or atoms with their ghosts
};

/// Describes atoms by featomic's SOAP power spectrum and scores them.
///
/// Large systems are cut into pieces that featomic works on in parallel, on all cores or RAYON_NUM_THREADS; the cut,
/// and with it the bits of the features, depends on the atoms and the model alone. The workspace is kept between calls:
/// one object serves one thread at a time. featomic does not work in processes forked from one that has used it.
class SoapScorer {
public:
    /// @throws InvalidInput  for a model without SOAP hypers, hypers that featomic refuses, and a model whose number of
    /// features is not what featomic makes of them
    explicit SoapScorer(Model model);
    ~SoapScorer();
    SoapScorer(SoapScorer&&) noexcept;
    SoapScorer& operator=(SoapScorer&&) noexcept;

    const Model& model() const;

    /// Atoms farther apart do not see each other.
    double cutoff() const;

    /// D
    Index n_features() const;

    /// Folded features of the centers, not normalised, as Python's `Soap.compute` gives them: atoms of species that the
    /// model does not know are left out of all environments, and get zeros.
    /// @param out  (n_centers, D)
    /// @throws InvalidInput  for positions and cells that are not finite, atoms at the same place, cells that span no
    /// volume, and shapes that do not fit
    void features(const Configuration& atoms, MatrixView out);

    /// Scores of the centers.
    /// @param scores     each empty, or one number for each center
    /// @param n_threads  of the arithmetic, as for Model::score; featomic has its own
    /// @throws InvalidInput  as features(), for centers of species that the model does not know, naming the atom, and
    /// for scores that this model cannot give
    void score(const Configuration& atoms, const Scores& scores, int n_threads = 0);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace lpr_fast
