#pragma once

#include <memory>
#include <vector>

#include "lpr_fast/soap.hpp"
#include "lpr_fast/structure.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Outputs for rows of forces and virials: minus the derivatives of sum_i phi_i, over the centers i of a structure,
/// with respect to positions and strain. An output without data is not computed. The rows of a large structure can be
/// computed for some atoms at a time; the bits of a row are the same.
struct GradientRows {
    MatrixView forces{};                        ///< (3 n, M): x, y, z of each of n atoms, centers or not
    MatrixView virials{};                       ///< (6, M): xx, yy, zz, yz, xz, xy, symmetrised
    const std::vector<Index>* atoms = nullptr;  ///< indices of the n atoms, each once; null: all atoms
};

/// Computes rows of forces and virials of a kernel model: derivatives of sum_i (x_i . x_m)^zeta, where x = p / |p| are
/// normalised features and i runs over the centers of the species of active environment m. Immutable and cheap to copy;
/// any number of threads may use one object at the same time.
///
/// If zeta is not an integer, a kernel with x_i . x_m <= 0 counts as constant.
class KernelGradients {
public:
    /// @param soap    descriptor
    /// @param active  (M, D) normalised features of the active environments, sorted by species
    /// @param first   first row of each species of the descriptor, followed by M
    /// @param zeta    power of the kernel, > 0
    /// @throws InvalidInput  for descriptors that are not differentiable (see Soap::gradient), NaN, and wrong shapes
    KernelGradients(const Soap& soap, ConstMatrixView active, const std::vector<Index>& first, double zeta);

    /// M, the number of active environments.
    Index size() const;

    /// Computes the rows of a structure. The bits do not depend on the number of threads.
    /// @param structure  made with the species and cutoff of the descriptor
    /// @throws InvalidInput  for a structure made for another descriptor, atoms at the same position, and wrong shapes
    void rows(const Structure& structure, const GradientRows& out, int n_threads = 0) const;

private:
    struct State;
    class Call;
    std::shared_ptr<const State> state_;
};

/// Computes rows of forces and virials of a linear model, whose phi is the sum of features over the centers of each
/// species: one block of D columns for each species of the descriptor. The bits do not depend on the number of threads.
/// @throws InvalidInput  as KernelGradients
void feature_gradients(const Soap& soap, const Structure& structure, const GradientRows& out, int n_threads = 0);

/// Derivatives of features with respect to the position of one atom, for the n centers that have it within the cutoff.
struct FeatureJacobians {
    std::vector<Index> centers;  ///< indices of the centers, ascending
    std::vector<double> values;  ///< (n, 3, D)
};

/// Computes the derivatives of the features, not normalised, with respect to the position of an atom.
/// @throws InvalidInput  as KernelGradients, and for an index outside [0, n_atoms)
FeatureJacobians feature_jacobians(const Soap& soap, const Structure& structure, Index atom);

}  // namespace lpr_fast
