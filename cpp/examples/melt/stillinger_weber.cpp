#include "stillinger_weber.hpp"

#include <cmath>
#include <cstddef>

namespace silicon {
namespace {

constexpr double epsilon = 2.1683;  // eV
constexpr double sigma = 2.0951;    // angstrom
constexpr double cutoff = 1.80 * sigma;
constexpr double big_a = 7.049556277;
constexpr double big_b = 0.6022245584;
constexpr double lambda = 21.0;
constexpr double gamma = 1.20;

struct Neighbour {
    std::size_t index;
    Vector to;  // from the atom to the neighbour
    double distance;
};

using Neighbours = std::vector<std::vector<Neighbour>>;

Neighbours neighbours_of(const Atoms& atoms) {
    Neighbours neighbours(atoms.positions.size());
    for (std::size_t i = 0; i < atoms.positions.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            Vector to;
            double square = 0.0;
            for (std::size_t k = 0; k < 3; ++k) {
                to[k] = atoms.positions[j][k] - atoms.positions[i][k];
                to[k] -= atoms.edge * std::round(to[k] / atoms.edge);
                square += to[k] * to[k];
            }
            if (square >= cutoff * cutoff) continue;
            const double distance = std::sqrt(square);
            neighbours[i].push_back({j, to, distance});
            neighbours[j].push_back({i, {-to[0], -to[1], -to[2]}, distance});
        }
    }
    return neighbours;
}

/// Half of the energy of a bond, which is met from both ends, and the force along it on the first atom.
double add_pair(const Neighbour& bond, Vector& force) {
    const double s = sigma / bond.distance;
    const double s4 = s * s * s * s;
    const double tail = std::exp(sigma / (bond.distance - cutoff));
    const double energy = epsilon * big_a * (big_b * s4 - 1.0) * tail;
    const double decay = sigma / ((bond.distance - cutoff) * (bond.distance - cutoff));
    const double slope = -4.0 * epsilon * big_a * big_b * s4 / bond.distance * tail - energy * decay;
    for (std::size_t k = 0; k < 3; ++k) force[k] += slope * bond.to[k] / bond.distance;
    return 0.5 * energy;
}

/// Energy of the angle between two bonds of atom i, and the forces on the three atoms.
double add_angle(const Neighbour& a, const Neighbour& b, std::size_t i, std::vector<Vector>& forces) {
    const double dot = a.to[0] * b.to[0] + a.to[1] * b.to[1] + a.to[2] * b.to[2];
    const double cosine = dot / (a.distance * b.distance);
    const double from_tetrahedral = cosine + 1.0 / 3.0;
    const double tail = std::exp(gamma * sigma / (a.distance - cutoff) + gamma * sigma / (b.distance - cutoff));
    const double energy = lambda * epsilon * tail * from_tetrahedral * from_tetrahedral;
    const double by_cosine = 2.0 * lambda * epsilon * tail * from_tetrahedral;
    const double by_a = -energy * gamma * sigma / ((a.distance - cutoff) * (a.distance - cutoff));
    const double by_b = -energy * gamma * sigma / ((b.distance - cutoff) * (b.distance - cutoff));
    for (std::size_t k = 0; k < 3; ++k) {
        const double unit_a = a.to[k] / a.distance;
        const double unit_b = b.to[k] / b.distance;
        const double on_a = by_a * unit_a + by_cosine * (unit_b - cosine * unit_a) / a.distance;
        const double on_b = by_b * unit_b + by_cosine * (unit_a - cosine * unit_b) / b.distance;
        forces[a.index][k] -= on_a;
        forces[b.index][k] -= on_b;
        forces[i][k] += on_a + on_b;
    }
    return energy;
}

}  // namespace

Atoms diamond(int cells, double lattice_constant) {
    constexpr double basis[8][3] = {{0, 0, 0},          {0, 0.5, 0.5},      {0.5, 0, 0.5},      {0.5, 0.5, 0},
                                    {0.25, 0.25, 0.25}, {0.25, 0.75, 0.75}, {0.75, 0.25, 0.75}, {0.75, 0.75, 0.25}};
    Atoms atoms;
    atoms.edge = cells * lattice_constant;
    for (int x = 0; x < cells; ++x) {
        for (int y = 0; y < cells; ++y) {
            for (int z = 0; z < cells; ++z) {
                for (const auto& site : basis) {
                    atoms.positions.push_back(
                        {(x + site[0]) * lattice_constant, (y + site[1]) * lattice_constant,
                         (z + site[2]) * lattice_constant}
                    );
                }
            }
        }
    }
    atoms.velocities.assign(atoms.positions.size(), Vector{});
    atoms.forces.assign(atoms.positions.size(), Vector{});
    return atoms;
}

double stillinger_weber(Atoms& atoms) {
    const Neighbours neighbours = neighbours_of(atoms);
    atoms.forces.assign(atoms.positions.size(), Vector{});
    double energy = 0.0;
    for (std::size_t i = 0; i < neighbours.size(); ++i) {
        const auto& bonds = neighbours[i];
        for (std::size_t a = 0; a < bonds.size(); ++a) {
            energy += add_pair(bonds[a], atoms.forces[i]);
            for (std::size_t b = 0; b < a; ++b) energy += add_angle(bonds[a], bonds[b], i, atoms.forces);
        }
    }
    return energy;
}

}  // namespace silicon
