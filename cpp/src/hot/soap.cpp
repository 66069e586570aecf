// Compiled once per instruction set, with LPR_FAST_LEVEL as the suffix of its table: see hot/kernels.cpp.

#include "hot/soap.hpp"

#include "hot/soap_parts.hpp"

namespace lpr_fast {
namespace {

Index near(const SoapPoints& points, const double* center, const SoapShell& shell, const SoapFound& found) {
    Index count = 0;
    for (Index i = 0; i < points.count; i += width) {
        const Vec x = load(points.x + i) - center[0];
        const Vec y = load(points.y + i) - center[1];
        const Vec z = load(points.z + i) - center[2];
        const Vec squares = x * x + y * y + z * z;
        const auto inside = (squares < shell.limit) & (squares >= shell.lowest);
        LPR_FAST_UNROLL
        for (int k = 0; k < width; ++k) {
            // Always written; the next point overwrites it if this one is outside the shell.
            found.number[count] = static_cast<std::int32_t>(i + k);
            count -= inside[k];
        }
    }
    for (Index i = 0; i < count; ++i) {
        const std::int32_t number = found.number[i];
        found.x[i] = points.x[number] - center[0];
        found.y[i] = points.y[number] - center[1];
        found.z[i] = points.z[number] - center[2];
    }
    return count;
}

LPR_FAST_INLINE Vec positive(Vec v) {
    return v > 0.0 ? v : Vec{};
}

/// Distances of coordinates from an interval, zero inside it.
LPR_FAST_INLINE Vec beyond(Vec v, double low, double high) {
    return positive(low - v) + positive(v - high);
}

void box_squares(const SoapPoints& points, const SoapBox& box, double* squares) {
    for (Index i = 0; i < points.count; i += width) {
        const Vec x = beyond(load(points.x + i), box.low[0], box.high[0]);
        const Vec y = beyond(load(points.y + i), box.low[1], box.high[1]);
        const Vec z = beyond(load(points.z + i), box.low[2], box.high[2]);
        *reinterpret_cast<UnalignedVec*>(squares + i) = x * x + y * y + z * z;
    }
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

/// Products of `width` radial functions of one species with `width` of another one, summed over m.
LPR_FAST_INLINE void tile_products(const double* first, const double* second, Index n_rows, Vec (&sums)[width]) {
    LPR_FAST_UNROLL
    for (int i = 0; i < width; ++i) sums[i] = Vec{};
    for (Index m = 0; m < n_rows; ++m) {
        const Vec right = *reinterpret_cast<const Vec*>(second + m * width);
        LPR_FAST_UNROLL
        for (int i = 0; i < width; ++i) sums[i] += first[m * width + i] * right;
    }
}

/// Multiplies by a factor, and by sqrt(2) except where both species and both radial functions are equal.
LPR_FAST_INLINE void scale(Vec (&sums)[width], double factor, bool has_diagonal) {
    const double diagonal = has_diagonal ? factor : factor * root_of_two;
    LPR_FAST_UNROLL
    for (int i = 0; i < width; ++i) {
        Vec factors = Vec{} + factor * root_of_two;
        factors[i] = diagonal;
        sums[i] *= factors;
    }
}

/// Features of a degree with `width` radial functions. Rows are written from the last to the first, so that numbers
/// left of the diagonal of a folded row are overwritten.
template <bool is_folded>
LPR_FAST_INLINE void whole_tile(const double* first, const double* second, const SoapDegree& degree, double* out) {
    Vec sums[width];
    tile_products(first, second, 2 * degree.l + 1, sums);
    scale(sums, degree.factor, is_folded);
    LPR_FAST_UNROLL
    for (int i = width - 1; i >= 0; --i) {
        const Index place = is_folded ? place_of(i, i, width, true) - i : i * width;
        *reinterpret_cast<UnalignedVec*>(out + place) = sums[i];
    }
}

/// Features of the existing radial functions of block a with those of block b.
LPR_FAST_OUTLINE void part_of_tile(
    const double* first, const double* second, const SoapDegree& degree, Index a, Index b, bool is_folded, double* out
) {
    Vec sums[width];
    tile_products(first, second, 2 * degree.l + 1, sums);
    scale(sums, degree.factor, is_folded && a == b);
    const Index n = degree.n_radial, first_column = b * width;
    const Index n_columns = n - first_column < width ? n - first_column : width;
    for (Index i = 0; i < width && a * width + i < n; ++i) {
        const double* row = reinterpret_cast<const double*>(sums + i);
        const Index n1 = a * width + i, begin = is_folded && a == b ? i : 0;
        double* to = out + place_of(n1, first_column, n, is_folded);
        for (Index k = begin; k < n_columns; ++k) to[k] = row[k];
    }
}

void degree_products(const SoapBasis& basis, const SoapDegree& degree, const SoapPair& pair, double* out) {
    const SoapBlock* blocks = basis.blocks + degree.first_block;
    const auto rows_of = [&](const double* expansion, Index block) {
        return expansion + blocks[block].first_row * width;
    };
    if (degree.n_radial == width) {
        const double *first = rows_of(pair.first, 0), *second = rows_of(pair.second, 0);
        if (pair.is_folded)
            whole_tile<true>(first, second, degree, out);
        else
            whole_tile<false>(first, second, degree, out);
        return;
    }
    for (Index a = 0; a < degree.n_blocks; ++a)
        for (Index b = pair.is_folded ? a : 0; b < degree.n_blocks; ++b)
            part_of_tile(rows_of(pair.first, a), rows_of(pair.second, b), degree, a, b, pair.is_folded, out);
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
const HotSoap LPR_FAST_JOIN(hot_soap_, LPR_FAST_LEVEL) = {width, &near, &box_squares, &expand, &spectrum};

}  // namespace lpr_fast
