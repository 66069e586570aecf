#pragma once

#include <array>
#include <vector>

namespace silicon {

using Vector = std::array<double, 3>;

/// Atoms of silicon in a periodic cube: angstrom, femtoseconds, electronvolts, atomic mass units.
struct Atoms {
    double edge = 0.0;
    std::vector<Vector> positions;
    std::vector<Vector> velocities;
    std::vector<Vector> forces;
};

/// The diamond lattice, cells^3 cubic cells of eight atoms, at rest.
Atoms diamond(int cells, double lattice_constant);

/// Potential energy after Stillinger and Weber, Phys. Rev. B 31, 5262 (1985); the forces are written into the atoms.
double stillinger_weber(Atoms& atoms);

}  // namespace silicon
