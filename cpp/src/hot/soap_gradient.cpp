// Compiled once per instruction set, with LPR_FAST_LEVEL as the suffix of its table: see hot/kernels.cpp.

#include "hot/soap_gradient.hpp"

#include "hot/soap_parts.hpp"
#include "hot/transpose.hpp"

namespace lpr_fast {
namespace {

/// Size of what is kept of a chunk.
LPR_FAST_INLINE Index kept_size(const SoapBasis& basis) {
    return soap_chunk * (1 + (basis.largest_l + 1) * (basis.largest_l + 1) + 2 * basis.n_blocks * width);
}

LPR_FAST_INLINE Chunk chunk_in(const SoapBasis& basis, double* kept) {
    double* harmonics = kept + soap_chunk;
    double* radial = harmonics + soap_chunk * (basis.largest_l + 1) * (basis.largest_l + 1);
    return {kept, harmonics, radial, radial + soap_chunk * basis.n_blocks * width};
}

/// Sets to zero the radial functions of the missing neighbours that fill the last vector.
LPR_FAST_INLINE void fill_up(const SoapBasis& basis, Index count, const Chunk& chunk) {
    const Index stride = basis.n_blocks * width;
    for (Index j = count; j % width != 0; ++j) {
        for (Index i = 0; i < stride; ++i) chunk.radial[j * stride + i] = chunk.slopes[j * stride + i] = 0.0;
    }
}

void expand(const SoapBasis& basis, const SoapNeighbours& neighbours, double* kept, double* expansion) {
    for (Index first = 0; first < neighbours.count; first += soap_chunk, kept += kept_size(basis)) {
        const Index count = neighbours.count - first < soap_chunk ? neighbours.count - first : soap_chunk;
        const Chunk chunk = chunk_in(basis, kept);
        harmonics_of(basis, neighbours, first, count, chunk);
        radial_of<true>(basis, count, chunk);
        fill_up(basis, count, chunk);
        add_chunk(basis, count, chunk, expansion);
    }
}

/// Reads derivatives in the layout of whole_tile() of hot/soap.cpp; numbers left of the diagonal of a folded tile are
/// undefined.
LPR_FAST_INLINE void read_whole_tile(const double* derivatives, bool is_folded, Vec (&rows)[width]) {
    LPR_FAST_UNROLL
    for (int i = 0; i < width; ++i)
        rows[i] = load(derivatives + (is_folded ? place_of(i, i, width, true) - i : i * width));
}

LPR_FAST_INLINE void read_part(
    const double* derivatives, Index first_row, Index first_column, Index n_radial, bool is_folded, Vec (&rows)[width]
) {
    for (Index i = 0; i < width; ++i) {
        rows[i] = Vec{};
        for (Index k = 0; k < width; ++k) {
            const Index n1 = first_row + i, n2 = first_column + k;
            if (n1 < n_radial && n2 < n_radial && (!is_folded || n1 <= n2))
                rows[i][k] = derivatives[place_of(n1, n2, n_radial, is_folded)];
        }
    }
}

/// Multiplies derivatives by the factors of their features. A tile on the diagonal becomes symmetric: a square has no
/// factor sqrt(2), but its derivative has a factor 2.
LPR_FAST_INLINE void scale(Vec (&rows)[width], double factor, bool is_diagonal) {
    if (!is_diagonal) {
        LPR_FAST_UNROLL
        for (int i = 0; i < width; ++i) rows[i] *= factor * root_of_two;
        return;
    }
    Vec mirrored[width];
    LPR_FAST_UNROLL
    for (int i = 0; i < width; ++i) {
        Vec factors;
        LPR_FAST_UNROLL
        for (int k = 0; k < width; ++k) factors[k] = k < i ? 0.0 : k == i ? factor : factor * root_of_two;
        mirrored[i] = rows[i] *= factors;
    }
    transpose(mirrored);
    LPR_FAST_UNROLL
    for (int i = 0; i < width; ++i) rows[i] += mirrored[i];
}

/// gradient += expansion times tile, for the rows of one block.
LPR_FAST_INLINE void add_products(const double* expansion, const Vec (&tile)[width], Index n_rows, double* gradient) {
    for (Index m = 0; m < n_rows; ++m) {
        Vec sum = reinterpret_cast<const Vec*>(gradient)[m];
        LPR_FAST_UNROLL
        for (int n = 0; n < width; ++n) sum += expansion[m * width + n] * tile[n];
        reinterpret_cast<Vec*>(gradient)[m] = sum;
    }
}

void degree_gradient(
    const SoapBasis& basis, const SoapDegree& degree, const SoapPairGradient& pair, const double* derivatives
) {
    const Index n_rows = 2 * degree.l + 1;
    const double factor = degree.factor;
    for (Index a = 0; a < degree.n_blocks; ++a) {
        for (Index b = pair.is_folded ? a : 0; b < degree.n_blocks; ++b) {
            const Index left = basis.blocks[degree.first_block + a].first_row * width,
                        right = basis.blocks[degree.first_block + b].first_row * width;
            const bool is_diagonal = pair.is_folded && a == b;
            Vec tile[width];
            if (degree.n_radial == width) {
                read_whole_tile(derivatives, pair.is_folded, tile);
            } else {
                read_part(derivatives, a * width, b * width, degree.n_radial, pair.is_folded, tile);
            }
            scale(tile, factor, is_diagonal);
            add_products(pair.first + left, tile, n_rows, pair.second_gradient + right);
            if (is_diagonal) continue;
            transpose(tile);
            add_products(pair.second + right, tile, n_rows, pair.first_gradient + left);
        }
    }
}

void spectrum(const SoapBasis& basis, const SoapPairGradient& pair) {
    const double* derivatives = pair.derivatives;
    for (Index d = 0; d < basis.n_degrees; ++d) {
        degree_gradient(basis, basis.degrees[d], pair, derivatives);
        derivatives += n_features_of(basis.degrees[d], pair.is_folded);
    }
}

/// A vector of neighbours, and what was kept of them.
struct Batch {
    const double* harmonics;  ///< ((l + 1)^2, soap_chunk), beginning at the first of these neighbours
    const double* radial;     ///< (width, n_blocks, width)
    const double* slopes;     ///< (width, n_blocks, width), d radial / d distance
    Points directions;
    Vec inverse_lengths;
};

LPR_FAST_INLINE Batch
batch_of(const SoapBasis& basis, const SoapNeighbours& neighbours, const double* kept, Index first) {
    const Chunk chunk = chunk_in(basis, const_cast<double*>(kept) + first / soap_chunk * kept_size(basis));
    const Index i = first % soap_chunk, stride = basis.n_blocks * width;
    const Points p = points_of(neighbours, first, neighbours.count - first);
    const Vec inverse = 1.0 / load(chunk.lengths + i);
    return {
        chunk.harmonics + i,
        chunk.radial + i * stride,
        chunk.slopes + i * stride,
        {p.x * inverse, p.y * inverse, p.z * inverse},
        inverse
    };
}

/// Adds to `sums` the derivatives of f with respect to distances through the radial functions of a block.
LPR_FAST_INLINE void add_slopes(
    const SoapBlock& block, const double* gradient, const Batch& batch, Index first, Index stride, Vec (&sums)[width]
) {
    Vec products[width];
    LPR_FAST_UNROLL
    for (int j = 0; j < width; ++j) products[j] = Vec{};
    const Vec* rows = reinterpret_cast<const Vec*>(gradient) + block.first_row;
    const double* harmonics = batch.harmonics + block.l * block.l * soap_chunk;
    for (Index m = 0; m < 2 * block.l + 1; ++m) {
        const Vec row = rows[m];
        LPR_FAST_UNROLL
        for (int j = 0; j < width; ++j) products[j] += row * harmonics[m * soap_chunk + j];
    }
    LPR_FAST_UNROLL
    for (int j = 0; j < width; ++j) sums[j] += products[j] * load(batch.slopes + j * stride + first);
}

/// Adds the contribution of the radial functions of a block to the gradient of f with respect to harmonics without
/// their norms, ((l + 1)^2, width).
LPR_FAST_INLINE void add_radial(
    const SoapBlock& block, const double* scaled, const Batch& batch, Index first, Index stride, bool is_first,
    double* harmonics_gradient
) {
    Vec radial[width];
    LPR_FAST_UNROLL
    for (int j = 0; j < width; ++j) radial[j] = load(batch.radial + j * stride + first);
    transpose(radial);
    const double* rows = scaled + block.first_row * width;
    Vec* out = reinterpret_cast<Vec*>(harmonics_gradient) + block.l * block.l;
    for (Index m = 0; m < 2 * block.l + 1; ++m) {
        Vec sum = is_first ? Vec{} : out[m];
        LPR_FAST_UNROLL
        for (int n = 0; n < width; ++n) sum += rows[m * width + n] * radial[n];
        out[m] = sum;
    }
}

/// Clenshaw's algorithm, from the highest l downwards: sum over l of factor_l P_l(z) with P_l = z P_l-1 - b_l P_l-2,
/// and the derivative of this sum with respect to z.
struct Clenshaw {
    Vec value, value_above, slope, slope_above;

    LPR_FAST_INLINE void add(Vec factor, Vec z, double b) {
        const Vec next_slope = value + z * slope - b * slope_above;
        const Vec next_value = factor + z * value - b * value_above;
        slope_above = slope, slope = next_slope;
        value_above = value, value = next_value;
    }
};

struct Complex {
    Vec re, im;

    /// A step of Horner's scheme: this <- factor + (x + i y) this.
    LPR_FAST_INLINE void add(Vec factor_re, Vec factor_im, Vec x, Vec y) {
        const Vec turned = factor_re + x * re - y * im;
        im = factor_im + x * im + y * re;
        re = turned;
    }
};

/// Derivatives of a weighted sum of harmonics with respect to x, y, z of a unit vector, as if these were independent:
/// the component along the vector has no meaning.
LPR_FAST_INLINE Points harmonics_slope(const SoapBasis& basis, const double* gradient, const Points& u) {
    const Vec* factors = reinterpret_cast<const Vec*>(gradient);
    const double* b = basis.downwards;
    Complex value{}, slope{}, along_z{};
    for (Index m = basis.largest_l; m >= 0; --m) {
        Clenshaw cosine{}, sine{};
        for (Index l = basis.largest_l; l >= m; --l, ++b) {
            cosine.add(factors[l * l + l + m], u.z, *b);
            if (m > 0) sine.add(factors[l * l + l - m], u.z, *b);
        }
        slope.add(value.re, value.im, u.x, u.y);
        value.add(cosine.value, -sine.value, u.x, u.y);
        along_z.add(cosine.slope, -sine.slope, u.x, u.y);
    }
    return {slope.re, -slope.im, along_z.re};
}

LPR_FAST_OUTLINE void batch_density(
    const SoapBasis& basis, const double* gradient, const double* scaled, const Batch& batch,
    double* harmonics_gradient, Vec (&slopes)[width]
) {
    const Index stride = basis.n_blocks * width;
    LPR_FAST_UNROLL
    for (int j = 0; j < width; ++j) slopes[j] = Vec{};
    for (Index d = 0; d < basis.n_degrees; ++d) {
        const SoapDegree& degree = basis.degrees[d];
        for (Index b = degree.first_block; b < degree.first_block + degree.n_blocks; ++b) {
            add_slopes(basis.blocks[b], gradient, batch, b * width, stride, slopes);
            add_radial(basis.blocks[b], scaled, batch, b * width, stride, b == degree.first_block, harmonics_gradient);
        }
    }
}

LPR_FAST_INLINE void write(const SoapVectors& out, Index first, const Points& p) {
    *reinterpret_cast<UnalignedVec*>(out.x + first) = p.x;
    *reinterpret_cast<UnalignedVec*>(out.y + first) = p.y;
    *reinterpret_cast<UnalignedVec*>(out.z + first) = p.z;
}

/// Multiplies a copy of the gradient by the norms of harmonics, so that the recurrences need no norms.
LPR_FAST_INLINE void scale_rows(const SoapBasis& basis, const double* gradient, double* scaled) {
    for (Index b = 0; b < basis.n_blocks; ++b) {
        const SoapBlock& block = basis.blocks[b];
        const Vec* from = reinterpret_cast<const Vec*>(gradient) + block.first_row;
        Vec* to = reinterpret_cast<Vec*>(scaled) + block.first_row;
        const double* norms = basis.norms + block.l * block.l;
        for (Index m = 0; m < 2 * block.l + 1; ++m) to[m] = from[m] * norms[m];
    }
}

void density(
    const SoapBasis& basis, const SoapNeighbours& neighbours, const double* kept, const double* gradient,
    double* scratch, const SoapVectors& out
) {
    const Index n_harmonics = (basis.largest_l + 1) * (basis.largest_l + 1);
    double *scaled = scratch, *harmonics_gradient = scratch + basis.n_rows * width;
    scale_rows(basis, gradient, scaled);
    // Stays zero for each l without radial functions.
    if (basis.n_degrees <= basis.largest_l)
        for (Index i = 0; i < n_harmonics * width; ++i) harmonics_gradient[i] = 0.0;
    for (Index first = 0; first < neighbours.count; first += width) {
        const Batch batch = batch_of(basis, neighbours, kept, first);
        Vec slopes[width];
        batch_density(basis, gradient, scaled, batch, harmonics_gradient, slopes);
        transpose(slopes);
        Vec slope = slopes[0];
        LPR_FAST_UNROLL
        for (int n = 1; n < width; ++n) slope += slopes[n];
        const Points& u = batch.directions;
        const Vec& inverse = batch.inverse_lengths;
        const Points g = harmonics_slope(basis, harmonics_gradient, u);
        const Vec along = slope - (g.x * u.x + g.y * u.y + g.z * u.z) * inverse;
        write(out, first, {g.x * inverse + along * u.x, g.y * inverse + along * u.y, g.z * inverse + along * u.z});
    }
}

void add_strain(const SoapNeighbours& neighbours, const SoapVectors& gradient, double* strain) {
    Vec sums[9];
    LPR_FAST_UNROLL
    for (int k = 0; k < 9; ++k) sums[k] = Vec{};
    for (Index i = 0; i < neighbours.count; i += width) {
        const Points p = points_of(neighbours, i, neighbours.count - i);
        const SoapNeighbours changes = {gradient.x, gradient.y, gradient.z, neighbours.count};
        Points g = points_of(changes, i, neighbours.count - i);
        for (Index k = neighbours.count - i; k < width; ++k) g.x[k] = g.y[k] = g.z[k] = 0.0;
        sums[0] += p.x * g.x, sums[1] += p.x * g.y, sums[2] += p.x * g.z;
        sums[3] += p.y * g.x, sums[4] += p.y * g.y, sums[5] += p.y * g.z;
        sums[6] += p.z * g.x, sums[7] += p.z * g.y, sums[8] += p.z * g.z;
    }
    for (int k = 0; k < 9; ++k)
        for (int i = 0; i < width; ++i) strain[k] += sums[k][i];
}

/// Derivatives of harmonics with respect to the vectors to a vector of neighbours, ((l + 1)^2, 3, width), by the
/// recurrence of the harmonics and its derivative.
LPR_FAST_INLINE void harmonics_jacobian(const SoapBasis& basis, const Points& u, Vec inverse, double* out) {
    const double* next = basis.harmonics;
    const auto store = [&](Index l, Index m, Vec x, Vec y, Vec z) {
        const Vec along = x * u.x + y * u.y + z * u.z;
        Vec* to = reinterpret_cast<Vec*>(out) + 3 * (l * l + l + m);
        to[0] = (x - along * u.x) * inverse;
        to[1] = (y - along * u.y) * inverse;
        to[2] = (z - along * u.z) * inverse;
    };
    // (x + i y)^m and its derivative with respect to x.
    Vec cosine = Vec{} + 1.0, sine = Vec{}, cosine_slope = Vec{}, sine_slope = Vec{};
    for (Index m = 0; m <= basis.largest_l; ++m) {
        Vec before = Vec{}, legendre = Vec{} + *next++, slope_before = Vec{}, slope = Vec{};
        for (Index l = m;; ++l) {
            store(l, m, legendre * cosine_slope, -legendre * sine_slope, slope * cosine);
            if (m > 0) store(l, -m, legendre * sine_slope, legendre * cosine_slope, slope * sine);
            if (l == basis.largest_l) break;
            const Vec after = next[0] * u.z * legendre - next[1] * before;
            const Vec slope_after = next[0] * (legendre + u.z * slope) - next[1] * slope_before;
            next += 2;
            before = legendre, legendre = after;
            slope_before = slope, slope = slope_after;
        }
        const double power = static_cast<double>(m + 1);
        cosine_slope = power * cosine, sine_slope = power * sine;
        const Vec turned = u.x * cosine - u.y * sine;
        sine = u.x * sine + u.y * cosine;
        cosine = turned;
    }
}

/// Derivatives of an expansion with respect to one component of the vector to one neighbour.
LPR_FAST_INLINE void expansion_jacobian(
    const SoapBasis& basis, const Batch& batch, Index j, double along, const double* harmonics_slopes, double* out
) {
    const Index stride = basis.n_blocks * width;
    for (Index b = 0; b < basis.n_blocks; ++b) {
        const SoapBlock& block = basis.blocks[b];
        const Vec radial = load(batch.radial + j * stride + b * width);
        const Vec slope = load(batch.slopes + j * stride + b * width) * along;
        const double* harmonics = batch.harmonics + block.l * block.l * soap_chunk + j;
        const double* slopes = harmonics_slopes + 3 * block.l * block.l * width + j;
        Vec* rows = reinterpret_cast<Vec*>(out) + block.first_row;
        for (Index m = 0; m < 2 * block.l + 1; ++m)
            rows[m] = slope * harmonics[m * soap_chunk] + radial * slopes[3 * m * width];
    }
}

void jacobian(
    const SoapBasis& basis, const SoapNeighbours& neighbours, const double* kept, double* scratch, double* out
) {
    for (Index first = 0; first < neighbours.count; first += width) {
        const Batch batch = batch_of(basis, neighbours, kept, first);
        harmonics_jacobian(basis, batch.directions, batch.inverse_lengths, scratch);
        const Index count = neighbours.count - first < width ? neighbours.count - first : width;
        for (Index j = 0; j < count; ++j) {
            const double along[3] = {batch.directions.x[j], batch.directions.y[j], batch.directions.z[j]};
            for (Index k = 0; k < 3; ++k, out += basis.n_rows * width)
                expansion_jacobian(basis, batch, j, along[k], scratch + k * width, out);
        }
    }
}

}  // namespace

extern const HotSoapGradient LPR_FAST_JOIN(hot_soap_gradient_, LPR_FAST_LEVEL);
const HotSoapGradient LPR_FAST_JOIN(hot_soap_gradient_, LPR_FAST_LEVEL) = {
    &expand, &spectrum, &density, &add_strain, &jacobian
};

}  // namespace lpr_fast
