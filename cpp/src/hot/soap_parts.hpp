#pragma once

// Code that the loops of features and of gradients share. Everything here has internal linkage: see hot/kernels.cpp.

#include "hot/soap.hpp"
#include "hot/vectors.hpp"

namespace lpr_fast {
namespace {

using Index = std::ptrdiff_t;

static_assert(soap_chunk % width == 0, "chunks of neighbours are whole vectors");

/// Number of neighbours whose products are summed in registers before an expansion is changed.
constexpr int group = 8;

constexpr double root_of_two = 1.41421356237309504880;

LPR_FAST_INLINE Vec load(const double* from) {
    return *reinterpret_cast<const UnalignedVec*>(from);
}

LPR_FAST_INLINE Vec square_root(Vec v) {
    for (int i = 0; i < width; ++i) v[i] = __builtin_sqrt(v[i]);
    return v;
}

/// Intermediate results of neighbours that are expanded together.
struct Chunk {
    double* lengths;    ///< (soap_chunk,)
    double* harmonics;  ///< ((l + 1)^2, soap_chunk)
    double* radial;     ///< (soap_chunk, n_blocks, width)
    double* slopes;     ///< (soap_chunk, n_blocks, width), d radial / d distance; null if not needed
};

/// Coordinates of a vector of neighbours.
struct Points {
    Vec x, y, z;
};

/// Neighbours first, first + 1, ..., of which `count` exist; the others get arbitrary coordinates other than zero.
LPR_FAST_INLINE Points points_of(const SoapNeighbours& p, Index first, Index count) {
    if (count >= width) return {load(p.x + first), load(p.y + first), load(p.z + first)};
    Vec x = Vec{} + 1.0, y = x, z = x;
    for (int k = 0; k < count; ++k) x[k] = p.x[first + k], y[k] = p.y[first + k], z[k] = p.z[first + k];
    return {x, y, z};
}

/// Real spherical harmonics of a vector of neighbours: Y_lm = P_lm(z) Re or Im (x + i y)^m. P_lm is normalised;
/// soap/packed_basis.cpp stores the coefficients of its recurrence in the order of use.
LPR_FAST_INLINE void add_harmonics(const SoapBasis& basis, Vec x, Vec y, Vec z, double* out) {
    const double* next = basis.harmonics;
    const auto store = [&](Index l, Index m, Vec value) {
        *reinterpret_cast<Vec*>(out + (l * l + l + m) * soap_chunk) = value;
    };
    Vec cosine = Vec{} + 1.0, sine = Vec{};
    for (Index m = 0; m <= basis.largest_l; ++m) {
        Vec before = Vec{}, legendre = Vec{} + *next++;
        for (Index l = m;; ++l) {
            store(l, m, legendre * cosine);
            if (m > 0) store(l, -m, legendre * sine);
            if (l == basis.largest_l) break;
            const Vec after = next[0] * z * legendre - next[1] * before;
            next += 2;
            before = legendre;
            legendre = after;
        }
        const Vec turned = x * cosine - y * sine;
        sine = x * sine + y * cosine;
        cosine = turned;
    }
}

LPR_FAST_OUTLINE void harmonics_of(
    const SoapBasis& basis, const SoapNeighbours& neighbours, Index first, Index count, const Chunk& chunk
) {
    for (Index i = 0; i < count; i += width) {
        const Points p = points_of(neighbours, first + i, count - i);
        const Vec length = square_root(p.x * p.x + p.y * p.y + p.z * p.z);
        *reinterpret_cast<Vec*>(chunk.lengths + i) = length;
        const Vec inverse = 1.0 / length;
        add_harmonics(basis, p.x * inverse, p.y * inverse, p.z * inverse, chunk.harmonics + i);
    }
}

/// The polynomials of a neighbour, and the t at which they are evaluated.
struct Place {
    const double* coefficients;
    double t;
    double inverse_half;  ///< dt / dr
};

/// Values, and slopes if asked for, of the polynomials of n_vectors blocks from `block` on.
template <bool with_slopes, int n_vectors>
LPR_FAST_INLINE void polynomials(const Place& place, Index block, double* values, double* slopes) {
    constexpr Index size = (table_degree + 1) * width;
    const double* coefficients = place.coefficients + block * size;
    Vec p[n_vectors], q[n_vectors];
    LPR_FAST_UNROLL
    for (int v = 0; v < n_vectors; ++v) p[v] = load(coefficients + v * size + table_degree * width), q[v] = Vec{};
    LPR_FAST_UNROLL
    for (int k = table_degree - 1; k >= 0; --k) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            if (with_slopes) q[v] = k == table_degree - 1 ? p[v] : q[v] * place.t + p[v];
            p[v] = p[v] * place.t + load(coefficients + v * size + k * width);
        }
    }
    LPR_FAST_UNROLL
    for (int v = 0; v < n_vectors; ++v) {
        reinterpret_cast<Vec*>(values)[block + v] = p[v];
        if (with_slopes) reinterpret_cast<Vec*>(slopes)[block + v] = q[v] * place.inverse_half;
    }
}

/// The cell of the table that contains a distance; a step of the distance rarely contains more than one edge.
LPR_FAST_INLINE Index cell_of(const SoapBasis& basis, double length) {
    Index cell = basis.first_cell[static_cast<Index>(length * basis.steps_per_length)];
    cell += length >= basis.edges[cell + 1];
    while (__builtin_expect(length >= basis.edges[cell + 1], 0)) ++cell;
    return cell;
}

template <bool with_slopes>
LPR_FAST_OUTLINE void radial_of(const SoapBasis& basis, Index count, const Chunk& chunk) {
    constexpr Index size = (table_degree + 1) * width;
    Place places[soap_chunk];
    for (Index j = 0; j < count; ++j) {
        const Index cell = cell_of(basis, chunk.lengths[j]);
        const double inverse_half = basis.inverse_halves[cell];
        places[j] = {
            basis.coefficients + cell * basis.n_blocks * size, (chunk.lengths[j] - basis.middles[cell]) * inverse_half,
            inverse_half
        };
    }
    const Index stride = basis.n_blocks * width;
    for (Index j = 0; j < count; ++j) {
        double *values = chunk.radial + j * stride, *slopes = chunk.slopes + (with_slopes ? j * stride : 0);
        Index b = 0;
        for (; b + 4 <= basis.n_blocks; b += 4) polynomials<with_slopes, 4>(places[j], b, values, slopes);
        for (; b + 2 <= basis.n_blocks; b += 2) polynomials<with_slopes, 2>(places[j], b, values, slopes);
        for (; b < basis.n_blocks; ++b) polynomials<with_slopes, 1>(places[j], b, values, slopes);
    }
}

template <int n>
LPR_FAST_INLINE void add_block(
    const SoapBlock& block, const double* radial, Index stride, const double* harmonics, double* expansion
) {
    Vec factors[n];
    LPR_FAST_UNROLL
    for (int j = 0; j < n; ++j) factors[j] = *reinterpret_cast<const Vec*>(radial + j * stride);
    Vec* rows = reinterpret_cast<Vec*>(expansion) + block.first_row;
    const double* values = harmonics + block.l * block.l * soap_chunk;
    for (Index m = 0; m < 2 * block.l + 1; ++m) {
        Vec sum = rows[m];
        LPR_FAST_UNROLL
        for (int j = 0; j < n; ++j) sum += factors[j] * values[m * soap_chunk + j];
        rows[m] = sum;
    }
}

template <int n>
LPR_FAST_OUTLINE void add_group(const SoapBasis& basis, Index j, const Chunk& chunk, double* expansion) {
    const Index stride = basis.n_blocks * width;
    for (Index b = 0; b < basis.n_blocks; ++b)
        add_block<n>(basis.blocks[b], chunk.radial + j * stride + b * width, stride, chunk.harmonics + j, expansion);
}

/// Adds the density of the neighbours of a chunk to an expansion.
LPR_FAST_INLINE void add_chunk(const SoapBasis& basis, Index count, const Chunk& chunk, double* expansion) {
    Index j = 0;
    for (; j + group <= count; j += group) add_group<group>(basis, j, chunk, expansion);
    for (; j + 4 <= count; j += 4) add_group<4>(basis, j, chunk, expansion);
    for (; j + 2 <= count; j += 2) add_group<2>(basis, j, chunk, expansion);
    for (; j < count; ++j) add_group<1>(basis, j, chunk, expansion);
}

/// Position of feature (n1, n2) among those of its degree.
LPR_FAST_INLINE Index place_of(Index n1, Index n2, Index n_radial, bool is_folded) {
    return is_folded ? n1 * n_radial - n1 * (n1 - 1) / 2 + n2 - n1 : n1 * n_radial + n2;
}
/// Number of features of a degree.
LPR_FAST_INLINE Index n_features_of(const SoapDegree& degree, bool is_folded) {
    const Index n = degree.n_radial;
    return is_folded ? n * (n + 1) / 2 : n * n;
}

}  // namespace
}  // namespace lpr_fast
