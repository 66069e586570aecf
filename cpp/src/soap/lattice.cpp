#include "soap/lattice.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

// Smallest volume of a cell, relative to the product of the lengths of its vectors.
constexpr double smallest_share = 1e-6;

Vector3 cross(const Vector3& a, const Vector3& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double length(const Vector3& a) {
    return std::sqrt(dot(a, a));
}

Vector3 scaled(const Vector3& a, double by) {
    return {a[0] * by, a[1] * by, a[2] * by};
}

/// A unit vector at right angles to `a`.
Vector3 perpendicular(const Vector3& a) {
    const auto smallest =
        std::min_element(a.begin(), a.end(), [](double x, double y) { return std::abs(x) < std::abs(y); });
    Vector3 axis{};
    axis[static_cast<std::size_t>(smallest - a.begin())] = 1.0;
    const Vector3 normal = cross(a, axis);
    return scaled(normal, 1.0 / length(normal));
}

std::size_t count_periodic(const std::array<bool, 3>& periodic) {
    return static_cast<std::size_t>(std::count(periodic.begin(), periodic.end(), true));
}

/// Replaces the vectors that are not periodic by unit vectors orthogonal to the periodic ones and to each other.
void complete(std::array<Vector3, 3>& vectors, const std::array<bool, 3>& periodic) {
    const auto k = static_cast<std::size_t>(std::find(periodic.begin(), periodic.end(), true) - periodic.begin());
    switch (count_periodic(periodic)) {
        case 0:
            vectors = {Vector3{1.0, 0.0, 0.0}, Vector3{0.0, 1.0, 0.0}, Vector3{0.0, 0.0, 1.0}};
            return;
        case 1: {
            const Vector3 along = scaled(vectors[k], 1.0 / length(vectors[k]));
            vectors[(k + 1) % 3] = perpendicular(along);
            vectors[(k + 2) % 3] = cross(along, vectors[(k + 1) % 3]);
            return;
        }
        case 2: {
            const auto free =
                static_cast<std::size_t>(std::find(periodic.begin(), periodic.end(), false) - periodic.begin());
            const Vector3 normal = cross(vectors[(free + 1) % 3], vectors[(free + 2) % 3]);
            vectors[free] = scaled(normal, 1.0 / length(normal));
            return;
        }
        default:
            return;
    }
}

/// The periodic vectors, for a message.
std::string shown(const Lattice& lattice) {
    std::ostringstream text;
    for (std::size_t k = 0; k < 3; ++k) {
        const Vector3& vector = lattice.vectors[k];
        if (lattice.periodic[k]) text << "(" << vector[0] << ", " << vector[1] << ", " << vector[2] << ")";
    }
    return text.str();
}

void check_span(const Lattice& lattice, const std::string& name) {
    double box = 1.0;
    for (std::size_t k = 0; k < 3; ++k)
        if (lattice.periodic[k]) box *= length(lattice.vectors[k]);
    // Vectors along open directions have length one and are orthogonal to all others.
    if (!(std::abs(determinant(lattice.vectors)) > smallest_share * box))
        throw InvalidInput(
            name + " is periodic, but its cell vectors " + shown(lattice) +
            " span no volume; give the cell, or make it not periodic along the vectors that it lacks."
        );
}

}  // namespace

double dot(const Vector3& a, const Vector3& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

double determinant(const std::array<Vector3, 3>& vectors) {
    return dot(vectors[0], cross(vectors[1], vectors[2]));
}

Vector3 Lattice::coordinates(const Vector3& position) const {
    return {dot(inverse[0], position), dot(inverse[1], position), dot(inverse[2], position)};
}

Vector3 Lattice::shift(const std::array<Index, 3>& by) const {
    Vector3 result{};
    for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t j = 0; j < 3; ++j) result[j] += static_cast<double>(by[k]) * vectors[k][j];
    return result;
}

double Lattice::per_length(std::size_t k) const {
    return length(inverse[k]);
}

Lattice lattice_of(const Configuration& atoms, const std::string& name) {
    Lattice lattice;
    lattice.periodic = atoms.periodic;
    for (std::size_t k = 0; k < 3; ++k) {
        if (!atoms.periodic[k]) continue;
        for (std::size_t j = 0; j < 3; ++j) lattice.vectors[k][j] = atoms.cell[3 * k + j];
        const double size = length(lattice.vectors[k]);
        if (!std::isfinite(size)) throw InvalidInput(name + " has a cell that is not finite; correct the cell.");
    }
    complete(lattice.vectors, lattice.periodic);
    check_span(lattice, name);
    const double volume = determinant(lattice.vectors);
    for (std::size_t k = 0; k < 3; ++k)
        lattice.inverse[k] = scaled(cross(lattice.vectors[(k + 1) % 3], lattice.vectors[(k + 2) % 3]), 1.0 / volume);
    return lattice;
}

}  // namespace lpr_fast
