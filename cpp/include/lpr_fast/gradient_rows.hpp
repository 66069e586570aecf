#pragma once

#include <memory>
#include <vector>

#include "lpr_fast/soap.hpp"
#include "lpr_fast/structure.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Where rows of forces and virials go: minus the derivatives of a structure's sum of phi with respect to positions and
/// strain. Of a large structure, rows of some atoms after others: the bits of a row are the same.
struct GradientRows {
    MatrixView forces{};   ///< (3 n, M): x, y, z of n atoms, of those that are no centers too; not wanted without data
    MatrixView virials{};  ///< (6, M): xx, yy, zz, yz, xz, xy, symmetrised; not wanted without data
    const std::vector<Index>* atoms = nullptr;  ///< these atoms, each once; by default all
};

/// The active set of a kernel model, ready to make rows of forces of any number of structures: phi_m is the sum of
/// (x_i . x_m)^zeta, with x = p / |p|, over the centers i of the species of the active environment m. Immutable and
/// cheap to copy; any number of threads may use one object at the same time.
///
/// Where zeta is not an integer and a scalar product not positive, its kernel counts as constant.
class KernelGradients {
public:
    /// @param active  (M, D) normalised features, those of each centre species following one another
    /// @param first   row where each species of the descriptor begins, and M
    /// @throws InvalidInput  for descriptors that are not differentiable (see Soap::gradient), NaN, and shapes that do
    /// not fit
    KernelGradients(const Soap& soap, ConstMatrixView active, const std::vector<Index>& first, double zeta);

    /// M
    Index size() const;

    /// The bits do not depend on the number of threads.
    /// @throws InvalidInput  for a structure that was made for another descriptor, atoms at the same place, and shapes
    /// that do not fit
    void rows(const Structure& structure, const GradientRows& out, int n_threads = 0) const;

private:
    struct State;
    class Call;
    std::shared_ptr<const State> state_;
};

/// Rows of forces of a linear model: phi is the sum of the features over the centers of each species of the descriptor,
/// one block of D columns after another. The bits do not depend on the number of threads.
/// @throws InvalidInput  as KernelGradients
void feature_gradients(const Soap& soap, const Structure& structure, const GradientRows& out, int n_threads = 0);

/// Derivatives of the features of those centers that see an atom, with respect to its position.
struct FeatureJacobians {
    std::vector<Index> centers;  ///< ascending
    std::vector<double> values;  ///< (n, 3, D)
};

/// @throws InvalidInput  as KernelGradients, and for an atom that does not exist
FeatureJacobians feature_jacobians(const Soap& soap, const Structure& structure, Index atom);

}  // namespace lpr_fast
