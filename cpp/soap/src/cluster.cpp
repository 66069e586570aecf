#include "cluster.hpp"

#include <cmath>
#include <string>

#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

// Atoms closer than this are at the same place: images of one atom differ by rounding.
constexpr double same_place = 1e-10;

}  // namespace

void Cluster::clear() {
    positions_.clear();
    species_.clear();
    rows_.clear();
}

void Cluster::add(const Vector3& position, int species, Index row) {
    positions_.insert(positions_.end(), position.begin(), position.end());
    species_.push_back(species);
    if (row >= 0) rows_.push_back(row);
}

void Cluster::check_pairs() const {
    if (coincident_ >= 0)
        throw InvalidInput(
            "atom " + std::to_string(coincident_) + " is at the same place as another atom; remove one of them."
        );
}

void Cluster::compute_neighbors(double cutoff) {
    pairs_.clear();
    coincident_ = -1;
    if (of_atom_.size() < size()) of_atom_.resize(size());
    for (auto& pairs : of_atom_) pairs.clear();
    for (std::size_t center = 0; center < rows_.size(); ++center) add_pairs(center, cutoff);
}

void Cluster::add_pairs(std::size_t center, double cutoff) {
    const double* from = &positions_[3 * center];
    const std::size_t n_atoms = size();
    for (std::size_t other = center + 1; other < n_atoms; ++other) {
        const double* to = &positions_[3 * other];
        const double x = to[0] - from[0], y = to[1] - from[1], z = to[2] - from[2];
        const double square = x * x + y * y + z * z;
        if (square >= cutoff * cutoff) continue;
        if (square < same_place * same_place) {
            coincident_ = rows_[center];
            continue;
        }
        const featomic_pair_t pair{center, other, std::sqrt(square), {x, y, z}, {0, 0, 0}};
        pairs_.push_back(pair);
        of_atom_[center].push_back(pair);
        of_atom_[other].push_back(pair);
    }
}

}  // namespace lpr_fast
