#include "lpr_fast/structure.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/at.hpp"
#include "lpr_fast/error.hpp"
#include "soap/structure_state.hpp"

namespace lpr_fast {
namespace {

// Indices of atoms have 32 bits.
constexpr Index most_atoms = (Index{1} << 31) - 1;

// Bins along a vector; indices of bins of periodic images must not overflow.
constexpr Index most_bins = Index{1} << 40;

// Matter has up to 0.2 atoms per cubic angstrom, and a Lennard-Jones liquid about one per unit of volume.
constexpr double most_atoms_per_volume = 3.0;

// Largest number of periodic images of a cell within the cutoff; only flat cells have more.
constexpr double most_images = 1e5;

// Longer cutoffs are taken for a damaged file.
constexpr double largest_cutoff = 1e4;

// Positions must be resolved to this share of the cutoff.
constexpr double resolution = 1e-9;

// The reach is larger than the cutoff by this share, so that no neighbour is lost to rounding of coordinates.
constexpr double margin = 1e-9;

// Numbers behind the last sorted atom, which vector loads may read.
constexpr std::size_t padding = 8;

void check_shapes(const Configuration& atoms, const std::string& name) {
    const Index n_atoms = atoms.positions.rows;
    if (n_atoms < 0 || n_atoms > most_atoms || (n_atoms > 0 && atoms.positions.cols != 3))
        throw InvalidInput(
            "positions of " + name + " have shape (" + std::to_string(n_atoms) + ", " +
            std::to_string(atoms.positions.cols) + "); they must have shape (n_atoms, 3)."
        );
    if (n_atoms > 0 && (atoms.positions.data == nullptr || atoms.species == nullptr))
        throw InvalidInput(name + " has no positions or no species; give both.");
    if (atoms.n_centers < 0 || atoms.n_centers > n_atoms)
        throw InvalidInput(
            name + " has " + std::to_string(atoms.n_centers) + " centers among " + std::to_string(n_atoms) +
            " atoms; n_centers must be from 1 to the number of atoms, whose first ones are the centers."
        );
    // A forgotten n_centers looks the same as none.
    if (atoms.n_centers == 0 && n_atoms > 0)
        throw InvalidInput(
            "n_centers is 0, but " + name + " has " + std::to_string(n_atoms) +
            " atoms; set it to the number of atoms to score (n_atoms for all), and make no call where there are none."
        );
}

/// Largest coordinate at which float64 resolves positions well enough.
double largest_coordinate(double cutoff) {
    return resolution * cutoff / std::numeric_limits<double>::epsilon();
}

void check_cutoff(double cutoff) {
    if (!(cutoff > 0.0 && cutoff <= largest_cutoff))
        throw InvalidInput("the cutoff is " + std::to_string(cutoff) + "; it must be positive and at most 10000.");
}

void check_positions(const Configuration& atoms, double cutoff, const std::string& name) {
    const double largest = largest_coordinate(cutoff);
    for (Index i = 0; i < atoms.positions.rows; ++i) {
        const double* row = atoms.positions.row(i);
        for (int k = 0; k < 3; ++k) {
            if (std::abs(row[k]) <= largest) continue;
            const std::string subject = name + ", atom " + std::to_string(i);
            if (!std::isfinite(row[k]))
                throw InvalidInput(subject + " has a position that is not finite; correct the position.");
            throw InvalidInput(
                subject +
                " is so far from the origin that float64 does not resolve its environment; move it closer to the "
                "origin, or check units."
            );
        }
    }
}

/// Finds the bin of each atom. Along periodic vectors, atoms are moved into the cell.
class Binning {
public:
    Binning(const Configuration& atoms, StructureState& state) : state_(state) {
        const auto n = at(atoms.positions.rows);
        positions_.resize(n);
        bins_.resize(n);
        is_near_face_.resize(n);
        for (std::size_t i = 0; i < n; ++i) {
            const double* row = atoms.positions.row(static_cast<Index>(i));
            positions_[i] = {row[0], row[1], row[2]};
        }
        move_into_cell();
        state_.bin_volume = std::abs(determinant(state_.lattice.vectors));
        for (std::size_t k = 0; k < 3; ++k) divide(k);
    }

    const Bin& bin(std::size_t atom) const { return bins_[atom]; }
    /// Whether another atom at the same position may be in another bin.
    bool is_near_face(std::size_t atom) const { return is_near_face_[atom] != 0; }
    const Vector3& position(std::size_t atom) const { return positions_[atom]; }

private:
    void move_into_cell() {
        const Lattice& lattice = state_.lattice;
        for (Vector3& position : positions_) {
            const Vector3 coordinates = lattice.coordinates(position);
            std::array<Index, 3> by{};
            for (std::size_t k = 0; k < 3; ++k)
                if (lattice.periodic[k]) by[k] = static_cast<Index>(std::floor(coordinates[k]));
            if (by == std::array<Index, 3>{}) continue;
            const Vector3 shift = lattice.shift(by);
            for (std::size_t j = 0; j < 3; ++j) {
                position[j] -= shift[j];
                if (!(std::abs(position[j]) <= largest_coordinate(state_.cutoff)))
                    throw InvalidInput(
                        state_.name +
                        " has so large a cell that float64 does not resolve the environments of its atoms; "
                        "check the cell, or set it not periodic."
                    );
            }
        }
    }

    /// Divides a direction into bins that are at least as wide as the cutoff, unless the cell itself is narrower.
    void divide(std::size_t k) {
        const Lattice& lattice = state_.lattice;
        const double reach = state_.cutoff * lattice.per_length(k) * (1.0 + margin) + margin;
        double low = 0.0, high = 1.0;
        if (!lattice.periodic[k]) {
            low = std::numeric_limits<double>::infinity(), high = -low;
            for (const Vector3& position : positions_) {
                const double coordinate = dot(lattice.inverse[k], position);
                low = std::min(low, coordinate), high = std::max(high, coordinate);
            }
        }
        const double n = std::clamp(std::floor((high - low) / reach), 1.0, static_cast<double>(most_bins));
        state_.n_bins[k] = static_cast<Index>(n);
        // Along open directions, coordinates are lengths.
        state_.bin_volume *= lattice.periodic[k] ? 1.0 / n : std::max({(high - low) / n, state_.cutoff, 1.0});
        const double per_coordinate = high > low ? n / (high - low) : 0.0;
        // In units of a bin.
        const double near_face = 2.0 * same_place * lattice.per_length(k) * per_coordinate;
        state_.reach[k] = lattice.periodic[k] ? static_cast<Index>(std::ceil(reach * n)) : 1;
        for (std::size_t i = 0; i < bins_.size(); ++i) {
            const double coordinate = (dot(lattice.inverse[k], positions_[i]) - low) * per_coordinate;
            bins_[i][k] = std::clamp(static_cast<Index>(coordinate), Index{0}, state_.n_bins[k] - 1);
            const double within = coordinate - static_cast<double>(bins_[i][k]);
            if (std::min(within, 1.0 - within) <= near_face) is_near_face_[i] = 1;
        }
    }

    StructureState& state_;
    std::vector<Vector3> positions_;
    std::vector<Bin> bins_;
    std::vector<char> is_near_face_;
};

[[noreturn]] void refuse_same_place(const StructureState& state, Index i, Index j) {
    const auto [a, b] = std::minmax(state.atom[at(i)], state.atom[at(j)]);
    throw InvalidInput(
        state.name + " has atoms " + std::to_string(a) + " and " + std::to_string(b) +
        " at the same place; correct or remove one of them."
    );
}

/// Throws if two atoms, or an atom and a periodic image, are at the same position. Atoms of other bins are compared
/// only with atoms near a face of their own bin.
void check_places(const StructureState& state, const Binning& binning) {
    for (std::size_t bin = 0; bin < state.bins.size(); ++bin) {
        for (Index i = state.begin[bin]; i < state.begin[bin + 1]; ++i) {
            const Vector3 position = state.position(i);
            const auto compare = [&](Index first, Index last, const Vector3& shift) {
                for (auto j = at(first); j < at(last); ++j) {
                    const double x = state.x[j] + shift[0] - position[0], y = state.y[j] + shift[1] - position[1],
                                 z = state.z[j] + shift[2] - position[2];
                    const bool is_itself = static_cast<Index>(j) == i && shift == Vector3{};
                    if (x * x + y * y + z * z < same_place * same_place && !is_itself)
                        refuse_same_place(state, i, static_cast<Index>(j));
                }
            };
            if (binning.is_near_face(at(state.atom[at(i)])))
                for_each_range(state, state.bins[bin], compare);
            else
                compare(i + 1, state.begin[bin + 1], {});
        }
    }
}

/// Throws if the density is higher than that of any matter: the cell is wrong, or the unit is not Angstrom.
void check_density(const StructureState& state) {
    double n_images = 1.0;
    for (std::size_t k = 0; k < 3; ++k)
        if (state.lattice.periodic[k])
            n_images *=
                std::ceil((2.0 * static_cast<double>(state.reach[k]) + 1.0) / static_cast<double>(state.n_bins[k]));
    for (std::size_t bin = 0; bin < state.bins.size(); ++bin) {
        const auto count = static_cast<double>(state.begin[bin + 1] - state.begin[bin]);
        if (count <= most_atoms_per_volume * state.bin_volume && n_images <= most_images) continue;
        throw InvalidInput(
            state.name + " has so dense or so flat a cell, or atoms so near to each other, that it must be wrong (" +
            std::to_string(static_cast<Index>(count)) + " atoms in a volume of " + std::to_string(state.bin_volume) +
            "); check cell, units and cutoff."
        );
    }
}

void sort_atoms(const Configuration& atoms, const std::vector<int>& species, StructureState& state) {
    const Binning binning(atoms, state);
    const auto n = at(atoms.positions.rows);
    std::vector<std::int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        const Bin &left = binning.bin(at(a)), &right = binning.bin(at(b));
        return left != right ? left < right : a < b;
    });
    for (auto* values : {&state.x, &state.y, &state.z}) values->resize(n + padding);
    state.species.resize(n);
    state.number.resize(n);
    state.place.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        const auto atom = at(order[i]);
        const Vector3& position = binning.position(atom);
        state.x[i] = position[0], state.y[i] = position[1], state.z[i] = position[2];
        const auto known = std::lower_bound(species.begin(), species.end(), atoms.species[atom]);
        const bool is_known = known != species.end() && *known == atoms.species[atom];
        state.species[i] =
            static_cast<std::int32_t>(is_known ? known - species.begin() : static_cast<Index>(species.size()));
        state.number[i] = atoms.species[atom];
        state.place[atom] = static_cast<std::int32_t>(i);
        if (state.bins.empty() || state.bins.back() != binning.bin(atom)) {
            state.bins.push_back(binning.bin(atom));
            state.begin.push_back(static_cast<Index>(i));
        }
    }
    state.begin.push_back(static_cast<Index>(n));
    state.atom = std::move(order);
    check_density(state);
    check_places(state, binning);
}

}  // namespace

Index StructureState::bin_of(Index sorted) const {
    return std::upper_bound(begin.begin(), begin.end() - 1, sorted) - begin.begin() - 1;
}

std::vector<Stretch> stretches(const StructureState& state, const Bin& bin, std::size_t k) {
    const Index n = state.n_bins[k], reach = state.reach[k], first = bin[k] - reach, last = bin[k] + reach;
    if (!state.lattice.periodic[k]) return {{std::max(first, Index{0}), std::min(last, n - 1), 0}};
    std::vector<Stretch> found;
    for (Index i = first; i <= last;) {
        const Index image = i >= 0 ? i / n : -((n - 1 - i) / n);
        const Index end = std::min(last, image * n + n - 1);
        found.push_back({i - image * n, end - image * n, image});
        i = end + 1;
    }
    return found;
}

std::pair<Index, Index> row_of_bins(const StructureState& state, Index i, Index j, Index first, Index last) {
    const auto begin = std::lower_bound(state.bins.begin(), state.bins.end(), Bin{i, j, first});
    auto end = begin;
    while (end != state.bins.end() && (*end)[0] == i && (*end)[1] == j && (*end)[2] <= last) ++end;
    return {begin - state.bins.begin(), end - state.bins.begin()};
}

Structure::Structure(
    const Configuration& atoms, const std::vector<int>& species, double cutoff, const std::string& name
) {
    auto state = std::make_shared<StructureState>();
    check_cutoff(cutoff);
    check_shapes(atoms, name);
    check_positions(atoms, cutoff, name);
    state->lattice = lattice_of(atoms, name);
    state->cutoff = cutoff;
    state->n_centers = atoms.n_centers;
    state->name = name;
    state->known = species;
    sort_atoms(atoms, species, *state);
    state_ = std::move(state);
}

Index Structure::n_atoms() const {
    return state_->n_atoms();
}

Index Structure::n_centers() const {
    return state_->n_centers;
}

std::vector<Neighbour> Structure::neighbours(Index atom) const {
    const StructureState& state = *state_;
    if (atom < 0 || atom >= state.n_atoms())
        throw InvalidInput(
            "atom " + std::to_string(atom) + " does not exist; the structure has " + std::to_string(state.n_atoms()) +
            " atoms, counted from 0."
        );
    const Index place = state.place[at(atom)];
    const Vector3 center = state.position(place);
    std::vector<Neighbour> found;
    for_each_range(state, state.bins[at(state.bin_of(place))], [&](Index first, Index last, const Vector3& shift) {
        for (Index i = first; i < last; ++i) {
            const Vector3 position = state.position(i);
            Vector3 vector{};
            for (std::size_t k = 0; k < 3; ++k) vector[k] = position[k] + shift[k] - center[k];
            const double square = dot(vector, vector);
            const bool is_itself = i == place && square < same_place * same_place;
            if (square < state.cutoff * state.cutoff && !is_itself) found.push_back({state.atom[at(i)], vector});
        }
    });
    return found;
}

std::vector<Index> Structure::order() const {
    std::vector<Index> centers;
    centers.reserve(at(state_->n_centers));
    for (Index i = 0; i < state_->n_atoms(); ++i)
        if (state_->is_center(i)) centers.push_back(state_->atom[at(i)]);
    return centers;
}

}  // namespace lpr_fast
