#include "cut.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

// Centers of a piece: small, so that there are pieces for all cores, and few of the pairs looked at are too far apart.
constexpr Index most_centers = 64;

// Bins are looked for a little beyond the cutoff, because coordinates are rounded.
constexpr double slack = 1e-6;

Vector3 checked_position(const Configuration& atoms, Index atom) {
    const double* row = atoms.positions.row(atom);
    const Vector3 position{row[0], row[1], row[2]};
    if (!std::isfinite(position[0]) || !std::isfinite(position[1]) || !std::isfinite(position[2]))
        throw InvalidInput("atom " + std::to_string(atom) + " has a position that is not finite; mend or remove it.");
    return position;
}

void check_shape(const Configuration& atoms) {
    const ConstMatrixView& positions = atoms.positions;
    if (positions.cols != 3 || positions.rows < 0 || positions.stride < 3)
        throw InvalidInput(
            "positions have shape (" + std::to_string(positions.rows) + ", " + std::to_string(positions.cols) +
            "); they must have shape (n_atoms, 3)."
        );
    if (positions.rows > 0 && (positions.data == nullptr || atoms.species == nullptr))
        throw InvalidInput("positions or species are missing; give both for all atoms.");
    if (atoms.n_centers < 0 || atoms.n_centers > positions.rows)
        throw InvalidInput(
            "n_centers is " + std::to_string(atoms.n_centers) + "; it must be between 0 and the number of atoms, " +
            std::to_string(positions.rows) + "."
        );
}

/// Quotient rounded down, for a positive divisor.
Index floor_quotient(Index a, Index b) {
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

}  // namespace

void Cut::prepare(const Configuration& atoms, const std::vector<int>& species, double cutoff) {
    check_shape(atoms);
    cutoff_ = cutoff;
    lattice_ = lattice_of(atoms, cutoff);
    read_atoms(atoms, species);
    split_centers();
    sort_into_bins();
}

void Cut::read_atoms(const Configuration& atoms, const std::vector<int>& species) {
    positions_.clear();
    coordinates_.clear();
    species_.clear();
    rows_.clear();
    for (Index atom = 0; atom < atoms.positions.rows; ++atom) {
        if (atom == atoms.n_centers) n_centers_ = static_cast<Index>(rows_.size());
        const Vector3 position = checked_position(atoms, atom);
        if (!std::binary_search(species.begin(), species.end(), atoms.species[atom])) continue;
        const Vector3 outside = lattice_.coordinates(position);
        std::array<Index, 3> into_cell{};
        for (std::size_t k = 0; k < 3; ++k)
            if (lattice_.periodic[k]) into_cell[k] = -static_cast<Index>(std::floor(outside[k]));
        positions_.push_back(lattice_.moved(position, into_cell));
        coordinates_.push_back(lattice_.coordinates(positions_.back()));
        species_.push_back(atoms.species[atom]);
        rows_.push_back(atom);
    }
    if (atoms.n_centers == atoms.positions.rows) n_centers_ = static_cast<Index>(rows_.size());
}

void Cut::split_centers() {
    centers_.resize(at(n_centers_));
    std::iota(centers_.begin(), centers_.end(), Index{0});
    piece_begin_.assign(1, 0);
    if (n_centers_ > 0) split(0, n_centers_);
    piece_of_.resize(at(n_centers_));
    for (Index piece = 0; piece < n_pieces(); ++piece)
        for (Index i = piece_begin_[at(piece)]; i < piece_begin_[at(piece) + 1]; ++i)
            piece_of_[at(centers_[at(i)])] = piece;
}

void Cut::split(Index begin, Index end) {
    if (end - begin <= most_centers) {
        std::sort(centers_.begin() + begin, centers_.begin() + end);
        piece_begin_.push_back(end);
        return;
    }
    const std::size_t axis = longest_axis(begin, end);
    const Index middle = begin + (end - begin) / 2;
    const auto before = [&](Index a, Index b) {
        const double left = coordinates_[at(a)][axis], right = coordinates_[at(b)][axis];
        return left != right ? left < right : a < b;
    };
    std::nth_element(centers_.begin() + begin, centers_.begin() + middle, centers_.begin() + end, before);
    split(begin, middle);
    split(middle, end);
}

std::size_t Cut::longest_axis(Index begin, Index end) const {
    const Box box = box_of(coordinates_, begin, end);
    std::size_t longest = 0;
    double length = -1.0;
    for (std::size_t k = 0; k < 3; ++k) {
        const double along = (box.high[k] - box.low[k]) / lattice_.per_length(k);
        if (along > length) {
            longest = k;
            length = along;
        }
    }
    return longest;
}

/// Around the centers from `begin` to `end`.
Cut::Box Cut::box_of(const std::vector<Vector3>& points, Index begin, Index end) const {
    Box box{points[at(centers_[at(begin)])], points[at(centers_[at(begin)])]};
    for (Index i = begin; i < end; ++i)
        for (std::size_t k = 0; k < 3; ++k) {
            box.low[k] = std::min(box.low[k], points[at(centers_[at(i)])][k]);
            box.high[k] = std::max(box.high[k], points[at(centers_[at(i)])][k]);
        }
    return box;
}

double Cut::distance_squared(const Box& box, const Vector3& position) const {
    double square = 0.0;
    for (std::size_t k = 0; k < 3; ++k) {
        const double beyond = std::max({box.low[k] - position[k], position[k] - box.high[k], 0.0});
        square += beyond * beyond;
    }
    return square;
}

void Cut::sort_into_bins() {
    const auto n_atoms = static_cast<Index>(positions_.size());
    for (std::size_t k = 0; k < 3; ++k) {
        double low = 0.0, extent = 1.0;
        if (!lattice_.periodic[k] && n_atoms > 0) {
            const auto smaller = [k](const Vector3& a, const Vector3& b) { return a[k] < b[k]; };
            const auto ends = std::minmax_element(coordinates_.begin(), coordinates_.end(), smaller);
            low = (*ends.first)[k];
            extent = (*ends.second)[k] - low;
        }
        const double bins = std::floor(extent / (cutoff_ * lattice_.per_length(k)));
        n_bins_[k] = static_cast<Index>(std::clamp(bins, 1.0, static_cast<double>(std::max<Index>(n_atoms, 1))));
        bin_origin_[k] = low;
        bins_per_unit_[k] = extent > 0.0 ? static_cast<double>(n_bins_[k]) / extent : 0.0;
    }
    // Few atoms far apart do not need a bin for every cutoff between them.
    while (n_bins_[0] * n_bins_[1] > 4 * n_atoms + 64 || n_bins_[0] * n_bins_[1] * n_bins_[2] > 4 * n_atoms + 64) {
        const auto k = static_cast<std::size_t>(std::max_element(n_bins_.begin(), n_bins_.end()) - n_bins_.begin());
        const Index halved = (n_bins_[k] + 1) / 2;
        bins_per_unit_[k] *= static_cast<double>(halved) / static_cast<double>(n_bins_[k]);
        n_bins_[k] = halved;
    }
    // Counting sort: bin_begin_ ends up where each bin begins.
    bin_begin_.assign(at(n_bins_[0] * n_bins_[1] * n_bins_[2] + 1), 0);
    const auto bin = [&](std::size_t i) {
        return at((bin_of(i, 0) * n_bins_[1] + bin_of(i, 1)) * n_bins_[2] + bin_of(i, 2));
    };
    for (std::size_t i = 0; i < positions_.size(); ++i) ++bin_begin_[bin(i)];
    std::partial_sum(bin_begin_.begin(), bin_begin_.end(), bin_begin_.begin());
    binned_.resize(positions_.size());
    for (std::size_t i = positions_.size(); i-- > 0;) binned_[at(--bin_begin_[bin(i)])] = static_cast<Index>(i);
}

Index Cut::bin_of(std::size_t atom, std::size_t axis) const {
    const double bin = (coordinates_[atom][axis] - bin_origin_[axis]) * bins_per_unit_[axis];
    return std::clamp<Index>(static_cast<Index>(bin), 0, n_bins_[axis] - 1);
}

void Cut::gather(Index piece, Cluster& cluster) const {
    cluster.clear();
    const Index begin = piece_begin_[at(piece)], end = piece_begin_[at(piece) + 1];
    for (Index i = begin; i < end; ++i) {
        const std::size_t center = at(centers_[at(i)]);
        cluster.add(positions_[center], species_[center], rows_[center]);
    }
    const Box within = box_of(coordinates_, begin, end);
    std::array<Index, 3> first{}, last{};
    for (std::size_t k = 0; k < 3; ++k) {
        const double halo = cutoff_ * lattice_.per_length(k) * (1.0 + slack);
        const auto bin = [&](double x) { return std::floor((x - bin_origin_[k]) * bins_per_unit_[k]); };
        const double low = bin(within.low[k] - halo), high = bin(within.high[k] + halo);
        const double end_bin = static_cast<double>(n_bins_[k] - 1);
        first[k] = static_cast<Index>(lattice_.periodic[k] ? low : std::clamp(low, 0.0, end_bin));
        last[k] = static_cast<Index>(lattice_.periodic[k] ? high : std::clamp(high, 0.0, end_bin));
    }
    const auto image_of = [&](Index bin, std::size_t k) { return floor_quotient(bin, n_bins_[k]); };
    for (Index x = first[0]; x <= last[0]; ++x)
        for (Index y = first[1]; y <= last[1]; ++y)
            for (Index z = first[2]; z <= last[2]; ++z) {
                const std::array<Index, 3> image{image_of(x, 0), image_of(y, 1), image_of(z, 2)};
                const Index row = (x - image[0] * n_bins_[0]) * n_bins_[1] + (y - image[1] * n_bins_[1]);
                gather_bin(piece, at(row * n_bins_[2] + (z - image[2] * n_bins_[2])), image, cluster);
            }
}

void Cut::gather_bin(Index piece, std::size_t bin, const std::array<Index, 3>& image, Cluster& cluster) const {
    const Box box = box_of(positions_, piece_begin_[at(piece)], piece_begin_[at(piece) + 1]);
    const bool is_cell = image == std::array<Index, 3>{};
    for (Index i = bin_begin_[bin]; i < bin_begin_[bin + 1]; ++i) {
        const Index atom = binned_[at(i)];
        if (is_cell && atom < n_centers_ && piece_of_[at(atom)] == piece) continue;
        const Vector3 position = lattice_.moved(positions_[at(atom)], image);
        if (distance_squared(box, position) <= cutoff_ * cutoff_ * (1.0 + slack))
            cluster.add(position, species_[at(atom)], -1);
    }
}

}  // namespace lpr_fast
