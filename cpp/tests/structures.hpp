#pragma once

// Random structures, and their neighbours by a loop over all images.

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "lpr_fast/structure.hpp"

namespace lpr_fast::testing {

/// A configuration that owns its arrays.
struct Atoms {
    std::string name;
    std::vector<std::array<double, 3>> positions;
    std::vector<int> species;
    std::array<double, 9> cell{};
    std::array<bool, 3> periodic{};

    Configuration configuration() const {
        const auto n = static_cast<Index>(positions.size());
        return {{n == 0 ? nullptr : positions.front().data(), n, 3}, species.data(), n, cell, periodic};
    }
};

/// Cells of all kinds: periodic along none to three vectors, skewed, smaller and larger than the cutoff, flat,
/// left-handed, and with vectors that are zero where nothing is periodic; the atoms are inside and outside of them.
inline std::vector<Atoms> structures_of_all_kinds() {
    const std::vector<std::pair<std::string, std::array<double, 9>>> cells{
        {"large", {10.1, 0, 0, 0.3, 9.2, 0, -0.2, 0.4, 11.9}},
        {"skewed", {6.1, 0, 0, 9.0, 5.7, 0, -7.5, 11.0, 6.3}},
        {"tiny", {1.9, 0.1, 0, 0.7, 1.7, 0.2, -0.3, 0.5, 2.1}},
        {"flat", {9.0, 0, 0, 0, 8.0, 0, 0.5, 0.3, 1.1}},
        {"left-handed", {0, 5.0, 0.3, 6.0, 0, 0, 0.2, 0, 7.0}},
        {"turned", {3.0, 4.0, 1.0, -4.0, 3.0, 0.5, 1.0, -1.0, 7.0}},
    };
    std::mt19937_64 generator(5);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    std::vector<Atoms> all;
    for (const auto& [name, cell] : cells)
        for (unsigned open = 0; open < 8; ++open) {
            Atoms atoms;
            atoms.name = name + ", open along " + std::to_string(open);
            const Eigen::Map<const Eigen::Matrix3d> columns(cell.data());
            const double volume = std::abs(columns.determinant());
            const auto n_atoms = static_cast<std::size_t>(std::max(1.0, volume / 9.0));
            for (std::size_t i = 0; i < n_atoms; ++i) {
                Eigen::Vector3d position = Eigen::Vector3d::Zero();
                for (Eigen::Index k = 0; k < 3; ++k) {
                    const bool is_open = ((open >> k) & 1U) != 0;
                    position += (is_open ? uniform(generator) : 3.0 * uniform(generator) - 1.0) * columns.col(k);
                }
                atoms.positions.push_back({position[0], position[1], position[2]});
                atoms.species.push_back(i % 3 == 2 ? 31 : 14);
            }
            atoms.cell = cell;
            for (std::size_t k = 0; k < 3; ++k) {
                atoms.periodic[k] = ((open >> k) & 1U) == 0;
                if (!atoms.periodic[k] && open % 2 == 0)
                    std::fill_n(atoms.cell.begin() + static_cast<Index>(3 * k), 3, 0.0);
            }
            all.push_back(atoms);
        }
    return all;
}

/// Numbers of images along each periodic vector that contain all atoms within a distance.
inline std::array<Index, 3> images_within(const Atoms& atoms, double distance) {
    std::vector<Eigen::Index> along;
    for (Eigen::Index k = 0; k < 3; ++k)
        if (atoms.periodic[static_cast<std::size_t>(k)]) along.push_back(k);
    std::array<Index, 3> reach{};
    if (along.empty()) return reach;
    const Eigen::Map<const Eigen::Matrix3d> columns(atoms.cell.data());
    const Eigen::MatrixXd vectors = columns(Eigen::all, along);
    const Eigen::MatrixXd inverse = (vectors.transpose() * vectors).inverse();
    for (std::size_t a = 0; a < along.size(); ++a) {
        const auto diagonal = inverse(static_cast<Eigen::Index>(a), static_cast<Eigen::Index>(a));
        reach[static_cast<std::size_t>(along[a])] = static_cast<Index>(distance * std::sqrt(diagonal)) + 1;
    }
    return reach;
}

/// All atoms and images within the cutoff of an atom, without itself.
inline std::vector<Neighbour> neighbours_by_loops(const Atoms& atoms, std::size_t center, double cutoff) {
    std::vector<Neighbour> found;
    const Eigen::Map<const Eigen::Vector3d> from(atoms.positions[center].data());
    const Eigen::Map<const Eigen::Matrix3d> columns(atoms.cell.data());
    for (std::size_t j = 0; j < atoms.positions.size(); ++j) {
        const Eigen::Vector3d between = Eigen::Map<const Eigen::Vector3d>(atoms.positions[j].data()) - from;
        const auto reach = images_within(atoms, cutoff + between.norm());
        for (Index a = -reach[0]; a <= reach[0]; ++a)
            for (Index b = -reach[1]; b <= reach[1]; ++b)
                for (Index c = -reach[2]; c <= reach[2]; ++c) {
                    const Eigen::Vector3d by(static_cast<double>(a), static_cast<double>(b), static_cast<double>(c));
                    const Eigen::Vector3d vector = between + columns * by;
                    if (vector.norm() < cutoff && !(j == center && by.isZero(0.0)))
                        found.push_back({static_cast<Index>(j), {vector[0], vector[1], vector[2]}});
                }
    }
    return found;
}

}  // namespace lpr_fast::testing
