// Compiled once per instruction set, with LPR_FAST_LEVEL as the suffix of its table; see hot/kernels.cpp for what that
// forbids.

#include "hot/soap.hpp"

#include "hot/soap_parts.hpp"

namespace lpr_fast {
namespace {

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

void expand(const SoapBasis& basis, const SoapNeighbours& neighbours, double* scratch, double* expansion) {
    const Index n_harmonics = (basis.largest_l + 1) * (basis.largest_l + 1);
    const Chunk chunk{scratch, scratch + soap_chunk, scratch + soap_chunk * (1 + n_harmonics), nullptr};
    for (Index first = 0; first < neighbours.count; first += soap_chunk) {
        const Index count = neighbours.count - first < soap_chunk ? neighbours.count - first : soap_chunk;
        harmonics_of(basis, neighbours, first, count, chunk);
        radial_of<false>(basis, count, chunk);
        add_chunk(basis, count, chunk, expansion);
    }
}

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
        out += n_features_of(degree, pair.is_folded);
    }
}

}  // namespace

extern const HotSoap LPR_FAST_JOIN(hot_soap_, LPR_FAST_LEVEL);
const HotSoap LPR_FAST_JOIN(hot_soap_, LPR_FAST_LEVEL) = {width, &near, &expand, &spectrum};

}  // namespace lpr_fast
