#include "soap/surroundings.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "lpr_fast/error.hpp"
#include "soap/packed_basis.hpp"

namespace lpr_fast {
namespace {

// Squares of distances from the box around the centers are allowed to be larger by this share: rounding loses nobody.
constexpr double margin = 1e-9;

constexpr double far_away = 1e200;

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

/// The box around some atoms.
struct Box {
    Vector3 low, high;

    Box(const StructureState& structure, const Center* centers, Index count) {
        low.fill(std::numeric_limits<double>::infinity());
        high.fill(-std::numeric_limits<double>::infinity());
        for (Index i = 0; i < count; ++i) {
            const Vector3 position = structure.position(centers[i].place);
            for (std::size_t k = 0; k < 3; ++k) {
                low[k] = std::min(low[k], position[k]);
                high[k] = std::max(high[k], position[k]);
            }
        }
    }

    double distance_squared(double x, double y, double z) const {
        const double dx = std::max({low[0] - x, x - high[0], 0.0}), dy = std::max({low[1] - y, y - high[1], 0.0}),
                     dz = std::max({low[2] - z, z - high[2], 0.0});
        return dx * dx + dy * dy + dz * dz;
    }
};

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
    const Box box(structure, centers, count);
    const double limit = structure.cutoff * structure.cutoff * (1.0 + margin);
    for_each_range(structure, structure.bins[at(bin)], [&](Index first, Index last, const Vector3& shift) {
        for (Candidates& of_species : candidates_) of_species.make_room(at(last - first));
        for (auto i = at(first); i < at(last); ++i) {
            const double x = structure.x[i] + shift[0], y = structure.y[i] + shift[1], z = structure.z[i] + shift[2];
            Candidates& of_species = candidates_[at(structure.species[i])];
            // Written in any case, and kept if it is near: most are.
            const std::size_t next = of_species.count;
            of_species.x[next] = x;
            of_species.y[next] = y;
            of_species.z[next] = z;
            of_species.place[next] = static_cast<std::int32_t>(i);
            of_species.count += box.distance_squared(x, y, z) <= limit ? 1 : 0;
        }
    });
    points_.clear();
    Index most = 0;
    for (Candidates& of_species : candidates_) {
        points_.push_back(of_species.padded());
        most = std::max(most, points_.back().count);
    }
    found_.resize(at(most + 1));
}

void Surroundings::select(const StructureState& structure, Index place) {
    for (auto* values : {&x_, &y_, &z_}) values->clear();
    place_.clear();
    begin_.clear();
    const Vector3 center = structure.position(place);
    const double limit = structure.cutoff * structure.cutoff;
    for (Index s = 0; s <= n_species(); ++s) {
        const Candidates& of_species = candidates_[at(s)];
        begin_.push_back(static_cast<Index>(x_.size()));
        if (of_species.count == 0) continue;
        append(center, of_species, hot_soap().near(points_[at(s)], center.data(), limit, found_.data()));
    }
    sees_unknown_ = static_cast<Index>(x_.size()) > begin_.back() || structure.species[at(place)] == n_species();
}

void Surroundings::append(const Vector3& center, const Candidates& from, Index n_found) {
    for (Index i = 0; i < n_found; ++i) {
        const auto found = at(found_[at(i)]);
        const double x = from.x[found] - center[0], y = from.y[found] - center[1], z = from.z[found] - center[2];
        if (x * x + y * y + z * z < same_place * same_place) continue;  // the center itself
        x_.push_back(x);
        y_.push_back(y);
        z_.push_back(z);
        place_.push_back(from.place[found]);
    }
}

SoapNeighbours Surroundings::neighbours(Index species) const {
    const auto first = at(begin_[at(species)]);
    return {x_.data() + first, y_.data() + first, z_.data() + first, begin_[at(species + 1)] - begin_[at(species)]};
}

}  // namespace lpr_fast
