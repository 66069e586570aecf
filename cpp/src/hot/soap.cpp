// Compiled once per instruction set, with LPR_FAST_LEVEL as the suffix of its table; see hot/kernels.cpp for what that
// forbids.

#include "hot/soap.hpp"

#include "hot/vectors.hpp"

namespace lpr_fast {
namespace {

using Index = std::ptrdiff_t;

static_assert(soap_chunk % width == 0, "chunks of neighbours are whole vectors");

/// Neighbours whose products are added in registers before an expansion is changed.
constexpr int group = 8;

LPR_FAST_INLINE Vec load(const double* from) {
    return *reinterpret_cast<const UnalignedVec*>(from);
}

LPR_FAST_INLINE Vec square_root(Vec v) {
    for (int i = 0; i < width; ++i) v[i] = __builtin_sqrt(v[i]);
    return v;
}

Index near(const SoapPoints& points, const double* center, double limit, std::int32_t* found) {
    Index count = 0;
    for (Index i = 0; i < points.count; i += width) {
        const Vec x = load(points.x + i) - center[0];
        const Vec y = load(points.y + i) - center[1];
        const Vec z = load(points.z + i) - center[2];
        const Vec squares = x * x + y * y + z * z;
        LPR_FAST_UNROLL
        for (int k = 0; k < width; ++k) {
            found[count] = static_cast<std::int32_t>(i + k);
            count += squares[k] < limit;
        }
    }
    return count;
}

/// Where parts of the scratch are.
struct Chunk {
    double* lengths;    ///< (soap_chunk,)
    double* harmonics;  ///< ((l + 1)^2, soap_chunk)
    double* radial;     ///< (soap_chunk, n_blocks, width)
};

/// Real spherical harmonics of some neighbours in lanes: Y_lm = P_lm(z) Re, Im (x + i y)^m, with P_lm normalised by
/// coefficients that come from soap/basis.cpp in the order in which they are used here.
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
    const SoapBasis& basis, const SoapNeighbours& p, Index first, Index count, const Chunk& chunk
) {
    for (Index i = 0; i < count; i += width) {
        Vec x = Vec{} + 1.0, y = x, z = x;  // where there is no neighbour
        if (i + width <= count) {
            x = load(p.x + first + i), y = load(p.y + first + i), z = load(p.z + first + i);
        } else {
            for (int k = 0; i + k < count; ++k)
                x[k] = p.x[first + i + k], y[k] = p.y[first + i + k], z[k] = p.z[first + i + k];
        }
        const Vec length = square_root(x * x + y * y + z * z);
        *reinterpret_cast<Vec*>(chunk.lengths + i) = length;
        const Vec inverse = 1.0 / length;
        add_harmonics(basis, x * inverse, y * inverse, z * inverse, chunk.harmonics + i);
    }
}

/// Polynomials of some blocks, whose coefficients follow one another block by block.
template <int n_vectors>
LPR_FAST_INLINE void polynomials(const double* coefficients, double t, double* out) {
    constexpr Index size = (table_degree + 1) * width;
    Vec values[n_vectors];
    LPR_FAST_UNROLL
    for (int v = 0; v < n_vectors; ++v) values[v] = load(coefficients + v * size + table_degree * width);
    LPR_FAST_UNROLL
    for (int k = table_degree - 1; k >= 0; --k) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) values[v] = values[v] * t + load(coefficients + v * size + k * width);
    }
    LPR_FAST_UNROLL
    for (int v = 0; v < n_vectors; ++v) reinterpret_cast<Vec*>(out)[v] = values[v];
}

/// The cell of the table in which a distance is; a step of the table rarely holds more than one edge.
LPR_FAST_INLINE Index cell_of(const SoapBasis& basis, double length) {
    Index cell = basis.first_cell[static_cast<Index>(length * basis.steps_per_length)];
    cell += length >= basis.edges[cell + 1];
    while (__builtin_expect(length >= basis.edges[cell + 1], 0)) ++cell;
    return cell;
}

LPR_FAST_OUTLINE void radial_of(const SoapBasis& basis, Index count, const Chunk& chunk) {
    constexpr Index size = (table_degree + 1) * width;
    const double* starts[soap_chunk];
    double t[soap_chunk];
    for (Index j = 0; j < count; ++j) {
        const Index cell = cell_of(basis, chunk.lengths[j]);
        t[j] = (chunk.lengths[j] - basis.middles[cell]) * basis.inverse_halves[cell];
        starts[j] = basis.coefficients + cell * basis.n_blocks * size;
    }
    double* out = chunk.radial;
    for (Index j = 0; j < count; ++j) {
        const double* from = starts[j];
        Index v = 0;
        for (; v + 4 <= basis.n_blocks; v += 4, from += 4 * size, out += 4 * width) polynomials<4>(from, t[j], out);
        for (; v + 2 <= basis.n_blocks; v += 2, from += 2 * size, out += 2 * width) polynomials<2>(from, t[j], out);
        for (; v < basis.n_blocks; ++v, from += size, out += width) polynomials<1>(from, t[j], out);
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

void expand(const SoapBasis& basis, const SoapNeighbours& neighbours, double* scratch, double* expansion) {
    const Index n_harmonics = (basis.largest_l + 1) * (basis.largest_l + 1);
    const Chunk chunk{scratch, scratch + soap_chunk, scratch + soap_chunk * (1 + n_harmonics)};
    for (Index first = 0; first < neighbours.count; first += soap_chunk) {
        const Index count = neighbours.count - first < soap_chunk ? neighbours.count - first : soap_chunk;
        harmonics_of(basis, neighbours, first, count, chunk);
        radial_of(basis, count, chunk);
        Index j = 0;
        for (; j + group <= count; j += group) add_group<group>(basis, j, chunk, expansion);
        for (; j + 4 <= count; j += 4) add_group<4>(basis, j, chunk, expansion);
        for (; j + 2 <= count; j += 2) add_group<2>(basis, j, chunk, expansion);
        for (; j < count; ++j) add_group<1>(basis, j, chunk, expansion);
    }
}

constexpr double root_of_two = 1.41421356237309504880;

/// Products of `width` radial functions of one species with `width` of another, summed over m.
LPR_FAST_INLINE void tile_products(const double* first, const double* second, Index n_rows, Vec (&sums)[width]) {
    LPR_FAST_UNROLL
    for (int i = 0; i < width; ++i) sums[i] = Vec{};
    for (Index m = 0; m < n_rows; ++m) {
        const Vec right = *reinterpret_cast<const Vec*>(second + m * width);
        LPR_FAST_UNROLL
        for (int i = 0; i < width; ++i) sums[i] += first[m * width + i] * right;
    }
}

/// Where feature (n1, n2) stands among those of its degree.
LPR_FAST_INLINE Index place_of(Index n1, Index n2, Index n_radial, bool is_folded) {
    return is_folded ? n1 * n_radial - n1 * (n1 - 1) / 2 + n2 - n1 : n1 * n_radial + n2;
}

/// Writes a tile whose rows and columns all exist: rows go from the last to the first, so that what of a folded row
/// stands left of the diagonal is overwritten.
LPR_FAST_INLINE void write_whole_tile(const Vec (&sums)[width], bool is_folded, double* out) {
    LPR_FAST_UNROLL
    for (int i = width - 1; i >= 0; --i) {
        const Index place = is_folded ? place_of(i, i, width, true) - i : i * width;
        *reinterpret_cast<UnalignedVec*>(out + place) = sums[i];
    }
}

LPR_FAST_INLINE void write_part(
    const Vec (&sums)[width], Index first_row, Index first_column, Index n_radial, bool is_folded, double* out
) {
    for (Index i = 0; i < width && first_row + i < n_radial; ++i) {
        for (Index k = 0; k < width && first_column + k < n_radial; ++k) {
            const Index n1 = first_row + i, n2 = first_column + k;
            if (!is_folded || n1 <= n2) out[place_of(n1, n2, n_radial, is_folded)] = sums[i][k];
        }
    }
}

/// Multiplies by a factor, and by sqrt(2) but where both species and both radial functions are equal.
LPR_FAST_INLINE void scale(Vec (&sums)[width], double factor, bool has_diagonal) {
    const double diagonal = has_diagonal ? factor : factor * root_of_two;
    LPR_FAST_UNROLL
    for (int i = 0; i < width; ++i) {
        Vec factors = Vec{} + factor * root_of_two;
        factors[i] = diagonal;
        sums[i] *= factors;
    }
}

void degree_products(const SoapBasis& basis, const SoapDegree& degree, const SoapPair& pair, double* out) {
    const Index n_rows = 2 * degree.l + 1;
    for (Index a = 0; a < degree.n_blocks; ++a) {
        for (Index b = pair.is_folded ? a : 0; b < degree.n_blocks; ++b) {
            const SoapBlock *left = basis.blocks + degree.first_block + a,
                            *right = basis.blocks + degree.first_block + b;
            Vec sums[width];
            tile_products(pair.first + left->first_row * width, pair.second + right->first_row * width, n_rows, sums);
            scale(sums, degree.factor, pair.is_folded && a == b);
            if (degree.n_radial == width) {
                write_whole_tile(sums, pair.is_folded, out);
            } else {
                write_part(sums, a * width, b * width, degree.n_radial, pair.is_folded, out);
            }
        }
    }
}

void spectrum(const SoapBasis& basis, const SoapPair& pair) {
    double* out = pair.features;
    for (Index d = 0; d < basis.n_degrees; ++d) {
        const SoapDegree& degree = basis.degrees[d];
        degree_products(basis, degree, pair, out);
        out += pair.is_folded ? degree.n_radial * (degree.n_radial + 1) / 2 : degree.n_radial * degree.n_radial;
    }
}

}  // namespace

extern const HotSoap LPR_FAST_JOIN(hot_soap_, LPR_FAST_LEVEL);
const HotSoap LPR_FAST_JOIN(hot_soap_, LPR_FAST_LEVEL) = {width, &near, &expand, &spectrum};

}  // namespace lpr_fast
