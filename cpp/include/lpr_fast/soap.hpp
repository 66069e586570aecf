#pragma once

#include <memory>
#include <vector>

#include "lpr_fast/radial_table.hpp"
#include "lpr_fast/structure.hpp"

namespace lpr_fast {

/// Which centers of a structure are wanted.
struct Part {
    const Structure* structure = nullptr;
    Index first = 0;                            ///< range of Structure::order(), whose rows follow one another;
    Index last = -1;                            ///< by default all centers, with their rows in the order of the atoms
    const std::vector<Index>* atoms = nullptr;  ///< or these atoms, ascending
};

struct SoapState;

/// Folded SOAP power spectra of a fixed list of species: of the equal features (l, n1, n2) and (l, n2, n1) of two
/// neighbours of one species, the first is kept, times sqrt(2). Immutable and cheap to copy; any number of threads may
/// use one object at the same time.
///
/// The features of pairs a <= b of neighbour species follow one another, each (l, n1, n2) as featomic has them. The
/// bits of an environment depend on its structure alone, within one instruction set (cpu_info()).
class Soap {
public:
    /// @param species  atomic numbers, ascending
    /// @throws InvalidInput  for a table whose parts do not fit each other
    Soap(const RadialTable& table, std::vector<int> species);

    double cutoff() const;
    /// D
    Index n_features() const;
    const std::vector<int>& species() const&;

    /// Features, not normalised. Atoms of species that are not in the list are left out of all environments, and get
    /// zeros.
    /// @param out  (number of wanted centers, D), part by part
    /// @throws InvalidInput  for atoms at the same place, and shapes that do not fit
    void features(const std::vector<Part>& parts, MatrixView out, int n_threads = 0) const;

    /// What some f, of which derivatives with respect to features are given, makes of the atoms. The bits do not depend
    /// on the number of threads.
    /// @param derivatives  df / d features, (n_centers, D), with centers in the order of the atoms
    /// @param forces       - df / d positions, (n_atoms, 3): of atoms that are no centers too
    /// @param virial       - df / d strain, (3, 3): minus the sum of d (x) df/dd over all vectors d to neighbours; not
    /// wanted without data
    /// @throws InvalidInput  for descriptors that are not differentiable (a step as cutoff, a center_atom_weight of 0),
    /// NaN, atoms at the same place, and shapes that do not fit
    void gradient(
        const Structure& structure, ConstMatrixView derivatives, MatrixView forces, MatrixView virial = {},
        int n_threads = 0
    ) const;

    /// Whether centers are of a species that is not in the list, or have such an atom within the cutoff.
    std::vector<bool> sees_unknown_species(const Structure& structure) const;

    /// For the library's own use.
    const SoapState& state() const { return *state_; }

private:
    std::shared_ptr<const SoapState> state_;
};

}  // namespace lpr_fast
