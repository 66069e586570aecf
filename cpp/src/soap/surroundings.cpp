#include "soap/surroundings.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "base/at.hpp"
#include "lpr_fast/error.hpp"
#include "soap/packed_basis.hpp"

namespace lpr_fast {
namespace {

// Squared distances from the box around the centers may exceed the squared cutoff by this share, so that no neighbour
// is lost to rounding.
constexpr double box_margin = 1e-9;

// Padding of arrays: a vector of the widest instruction set.
constexpr Index widest_vector = 8;

constexpr double far_away = 1e200;

/// The box around some atoms.
SoapBox box_around(const StructureState& structure, const Center* centers, Index count) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    SoapBox box{{infinity, infinity, infinity}, {-infinity, -infinity, -infinity}};
    for (Index i = 0; i < count; ++i) {
        const Vector3 position = structure.position(centers[i].place);
        for (std::size_t k = 0; k < 3; ++k) {
            box.low[k] = std::min(box.low[k], position[k]);
            box.high[k] = std::max(box.high[k], position[k]);
        }
    }
    return box;
}

/// The same box moved back by a shift.
SoapBox moved_back(const SoapBox& box, const Vector3& shift) {
    SoapBox moved = box;
    for (std::size_t k = 0; k < 3; ++k) moved.low[k] -= shift[k], moved.high[k] -= shift[k];
    return moved;
}

}  // namespace

void Surroundings::Candidates::make_room(std::size_t more) {
    if (count + more <= x.size()) return;
    for (auto* values : {&x, &y, &z}) values->resize(2 * (count + more));
    place.resize(2 * (count + more));
}

SoapPoints Surroundings::Candidates::padded() {
    const auto width = at(hot_soap().width);
    make_room(width);
    const std::size_t padded_count = (count + width - 1) / width * width;
    for (auto* values : {&x, &y, &z})
        std::fill(
            values->begin() + static_cast<Index>(count), values->begin() + static_cast<Index>(padded_count), far_away
        );
    return {x.data(), y.data(), z.data(), static_cast<Index>(padded_count)};
}

void Surroundings::gather(
    const StructureState& structure, Index n_species, Index bin, const Center* centers, Index count
) {
    candidates_.resize(at(n_species + 1));
    for (Candidates& of_species : candidates_) of_species.count = 0;
    const SoapBox box = box_around(structure, centers, count);
    const double limit = structure.cutoff * structure.cutoff * (1.0 + box_margin) + box_margin;
    for_each_range(structure, structure.bins[at(bin)], [&](Index first, Index last, const Vector3& shift) {
        for (Candidates& of_species : candidates_) of_species.make_room(at(last - first));
        if (squares_.size() < at(last - first + widest_vector)) squares_.resize(2 * at(last - first + widest_vector));
        const SoapPoints points{
            &structure.x[at(first)], &structure.y[at(first)], &structure.z[at(first)], last - first
        };
        hot_soap().box_squares(points, moved_back(box, shift), squares_.data());
        for (auto i = at(first); i < at(last); ++i) {
            Candidates& of_species = candidates_[at(structure.species[i])];
            // Always written, and kept if it is near, without a branch: most are.
            const std::size_t next = of_species.count;
            of_species.x[next] = structure.x[i] + shift[0];
            of_species.y[next] = structure.y[i] + shift[1];
            of_species.z[next] = structure.z[i] + shift[2];
            of_species.place[next] = static_cast<std::int32_t>(i);
            of_species.count += squares_[i - at(first)] <= limit ? 1 : 0;
        }
    });
    points_.clear();
    Index n_points = widest_vector;
    for (Candidates& of_species : candidates_) {
        points_.push_back(of_species.padded());
        n_points += points_.back().count;
    }
    for (auto* values : {&x_, &y_, &z_})
        if (values->size() < at(n_points)) values->resize(at(n_points));
    if (place_.size() < at(n_points)) place_.resize(at(n_points));
}

void Surroundings::select(const StructureState& structure, Index place) {
    begin_.clear();
    const Vector3 center = structure.position(place);
    // Only the center itself is nearer than same_place, because structures are checked.
    const SoapShell shell{same_place * same_place, structure.cutoff * structure.cutoff};
    std::size_t count = 0;
    for (Index s = 0; s <= n_species(); ++s) {
        const Candidates& of_species = candidates_[at(s)];
        begin_.push_back(static_cast<Index>(count));
        if (of_species.count == 0) continue;
        const SoapFound found{&x_[count], &y_[count], &z_[count], &place_[count]};
        const Index n = hot_soap().near(points_[at(s)], center.data(), shell, found);
        for (Index i = 0; i < n; ++i) found.number[i] = of_species.place[at(found.number[i])];
        count += at(n);
    }
    const auto is_atom = [&](std::int32_t other) { return structure.number[at(other)] != 0; };
    const auto unknown = place_.begin() + begin_.back();
    sees_unknown_ = structure.species[at(place)] == n_species() ||
                    std::any_of(unknown, place_.begin() + static_cast<Index>(count), is_atom);
}

SoapNeighbours Surroundings::neighbours(Index species) const {
    const auto first = at(begin_[at(species)]);
    return {x_.data() + first, y_.data() + first, z_.data() + first, begin_[at(species + 1)] - begin_[at(species)]};
}

}  // namespace lpr_fast
