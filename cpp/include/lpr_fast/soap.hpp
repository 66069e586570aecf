#pragma once

#include <memory>
#include <vector>

#include "lpr_fast/radial_table.hpp"
#include "lpr_fast/structure.hpp"

namespace lpr_fast {

/// Some or all centers of a structure, and the order of their rows in an output.
///
/// By default all centers, in the order of the atoms. With `last`, the centers [first, last) of Structure::order(), in
/// that order. With `atoms`, these centers.
struct Part {
    const Structure* structure = nullptr;
    Index first = 0;
    Index last = -1;
    const std::vector<Index>* atoms = nullptr;  ///< indices of centers, ascending
};

struct SoapState;

/// Computes folded SOAP power spectra (Bartok et al. 2013, doi:10.1103/PhysRevB.87.184115) for a fixed list of species.
/// Folded: if both neighbour species are equal, the features (l, n1, n2) and (l, n2, n1) are equal, and one of them
/// times sqrt(2) stands for both. Immutable and cheap to copy; any number of threads may use one object at the same
/// time.
///
/// The features are sorted by pairs a <= b of neighbour species, and within a pair by (l, n1, n2) as in featomic. The
/// bits of an environment depend on its structure alone, within one instruction set (cpu_info()).
class Soap {
public:
    /// @param table    radial integrals
    /// @param species  atomic numbers, ascending
    /// @throws InvalidInput  for a table whose arrays do not agree, and species that are not ascending
    Soap(const RadialTable& table, std::vector<int> species);

    /// Radius of an environment, in the unit of positions.
    double cutoff() const;
    /// D, the number of features of an environment.
    Index n_features() const;
    /// Atomic numbers, ascending.
    const std::vector<int>& species() const&;

    /// Computes features, not normalised. Atoms of species that are not in the list are left out of all environments,
    /// and their own features are zero.
    /// @param parts      centers of structures that were made with the species and cutoff of this object
    /// @param out        (number of centers, D), part by part
    /// @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
    /// @throws InvalidInput  for structures made for another descriptor, atoms at the same position, and wrong shapes
    void features(const std::vector<Part>& parts, MatrixView out, int n_threads = 0) const;

    /// Computes forces and virial of a function f of the features, from the derivatives of f with respect to the
    /// features, by the chain rule. The bits do not depend on the number of threads.
    /// @param derivatives  (n_centers, D) df / d features, with centers in the order of the atoms
    /// @param forces       (n_atoms, 3) -df / d positions of all atoms, centers or not
    /// @param virial       (3, 3) -df / d strain: minus the sum of d (x) df/dd over all vectors d to neighbours; not
    /// computed without data
    /// @throws InvalidInput  for descriptors that are not differentiable (a step as cutoff function, or a
    /// center_atom_weight of 0), NaN, atoms at the same position, and wrong shapes
    void gradient(
        const Structure& structure, ConstMatrixView derivatives, MatrixView forces, MatrixView virial = {},
        int n_threads = 0
    ) const;

    /// For each center, whether it or an atom within its cutoff is of a species that is not in the list. Sites (atomic
    /// number 0) within the cutoff do not count.
    std::vector<bool> sees_unknown_species(const Structure& structure) const;

    /// Internal.
    const SoapState& state() const { return *state_; }

private:
    std::shared_ptr<const SoapState> state_;
};

}  // namespace lpr_fast
