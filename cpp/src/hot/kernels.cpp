// Compiled once per instruction set, with LPR_FAST_LEVEL as the suffix of its table. Nothing here may call an inline
// function or template with external linkage: the linker keeps one copy of those, and that copy could be compiled for
// another instruction set.

#include "hot/kernels.hpp"

#include "hot/column_products.hpp"
#include "hot/register_tiles.hpp"

#define LPR_FAST_TABLE LPR_FAST_JOIN(hot_kernels_, LPR_FAST_LEVEL)

namespace lpr_fast {
namespace {

enum class Store { assign, add, subtract };

template <int n_vectors>
LPR_FAST_INLINE void clear(Vec (&sums)[panel_rows][n_vectors]) {
    LPR_FAST_UNROLL
    for (int r = 0; r < panel_rows; ++r) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) sums[r][v] = Vec{};
    }
}

/// sums += panel * (first n_vectors vectors of the strip).
template <int n_vectors>
LPR_FAST_INLINE void add_tile(
    const double* __restrict panel, const double* __restrict strip, Index depth, Vec (&sums)[panel_rows][n_vectors]
) {
    for (Index k = 0; k < depth; ++k) {
        Vec b[n_vectors];
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) b[v] = reinterpret_cast<const Vec*>(strip)[v];
        LPR_FAST_UNROLL
        for (int r = 0; r < panel_rows; ++r) {
            LPR_FAST_UNROLL
            for (int v = 0; v < n_vectors; ++v) sums[r][v] += panel[r] * b[v];
        }
        panel += panel_rows;
        strip += lanes;
    }
}

/// sums = panel * (first n_vectors vectors of the strip).
template <int n_vectors>
LPR_FAST_INLINE void multiply_tile(
    const double* __restrict panel, const double* __restrict strip, Index depth, Vec (&sums)[panel_rows][n_vectors]
) {
    clear(sums);
    add_tile(panel, strip, depth, sums);
}

/// out (+|-)= panel * (first n_vectors vectors of the strip).
template <Store store, int n_vectors>
LPR_FAST_INLINE void tile_product(
    const double* __restrict panel, const double* __restrict strip, Index depth, double* __restrict out
) {
    Vec sums[panel_rows][n_vectors];
    multiply_tile<n_vectors>(panel, strip, depth, sums);
    LPR_FAST_UNROLL
    for (int r = 0; r < panel_rows; ++r) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            Vec& c = reinterpret_cast<Vec*>(out + r * lanes)[v];
            if (store == Store::assign) {
                c = sums[r][v];
            } else if (store == Store::add) {
                c += sums[r][v];
            } else {
                c -= sums[r][v];
            }
        }
    }
}

constexpr Index line = 8;  // numbers in a cache line

/// Prefetches part number `strip` of n_strips of the next panel, while the product with this strip is computed.
LPR_FAST_INLINE void prefetch_share(const double* panel, Index size, Index strip, Index n_strips) {
    const Index end = size * (strip + 1) / n_strips;
    for (Index i = size * strip / n_strips / line * line; i < end; i += line) __builtin_prefetch(panel + i, 0, 2);
}

/// Prefetches a tile of C that is about to be changed.
LPR_FAST_INLINE void prefetch_tile(const double* tile) {
    for (Index i = 0; i < panel_rows * lanes; i += line) __builtin_prefetch(tile + i, 1, 3);
}

/// One panel times one strip, of which n_vectors vectors hold columns.
template <Store store>
LPR_FAST_INLINE void strip_product(
    Index n_vectors, const double* panel, const double* strip, Index depth, double* out
) {
    if (n_vectors == vectors) {
        tile_product<store, vectors>(panel, strip, depth, out);
    } else if (n_vectors == 2) {
        tile_product<store, 2>(panel, strip, depth, out);
    } else {
        tile_product<store, 1>(panel, strip, depth, out);
    }
}

/// Number of vectors of strip s that hold columns.
LPR_FAST_INLINE Index vectors_of_strip(Index s, Index n_columns) {
    const Index left = n_columns - s * lanes;
    return left >= lanes ? vectors : (left + width - 1) / width;
}

template <Store store>
void product(const PackedProduct& p) {
    const Index n_strips = (p.n_columns + lanes - 1) / lanes;
    for (Index i = 0; i < p.n_panels; ++i) {
        for (Index s = 0; s < n_strips; ++s) {
            if (i + 1 < p.n_panels) {
                prefetch_share(p.panels + (i + 1) * p.depth * panel_rows, p.depth * panel_rows, s, n_strips);
            }
            double* tile = p.out + s * p.out_stride + i * panel_rows * lanes;
            if (store != Store::assign) prefetch_tile(tile);
            strip_product<store>(
                vectors_of_strip(s, p.n_columns), p.panels + i * p.depth * panel_rows, p.strips + s * p.strip_stride,
                p.depth, tile
            );
        }
    }
}

/// One step of a forward substitution: the first `depth` rows of `out` are solved, this solves the next panel_rows
/// rows. Only the diagonal is inverted, so the result is as accurate as plain substitution.
template <int n_vectors>
LPR_FAST_INLINE void tile_solve(
    const double* __restrict panel, const double* __restrict right, double* out, Index depth, double* squares
) {
    Vec rows[panel_rows][n_vectors];
    multiply_tile<n_vectors>(panel, out, depth, rows);
    panel += depth * panel_rows;
    LPR_FAST_UNROLL
    for (int r = 0; r < panel_rows; ++r) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v)
            rows[r][v] = reinterpret_cast<const Vec*>(right + r * lanes)[v] - rows[r][v];
    }
    LPR_FAST_UNROLL
    for (int k = 0; k < panel_rows; ++k) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) rows[k][v] *= panel[k * panel_rows + k];
        LPR_FAST_UNROLL
        for (int r = k + 1; r < panel_rows; ++r) {
            LPR_FAST_UNROLL
            for (int v = 0; v < n_vectors; ++v) rows[r][v] -= panel[k * panel_rows + r] * rows[k][v];
        }
    }
    LPR_FAST_UNROLL
    for (int v = 0; v < n_vectors; ++v) {
        Vec sum = reinterpret_cast<Vec*>(squares)[v];
        LPR_FAST_UNROLL
        for (int r = 0; r < panel_rows; ++r) {
            reinterpret_cast<Vec*>(out + (depth + r) * lanes)[v] = rows[r][v];
            sum += rows[r][v] * rows[r][v];
        }
        reinterpret_cast<Vec*>(squares)[v] = sum;
    }
}

void triangular_solve(const PackedProduct& p, double* squares) {
    const Index n_strips = (p.n_columns + lanes - 1) / lanes;
    const double* panel = p.panels;
    for (Index i = 0; i < p.n_panels; ++i) {
        const Index depth = i * panel_rows;
        for (Index s = 0; s < n_strips; ++s) {
            const Index n_vectors = vectors_of_strip(s, p.n_columns);
            const double* right = p.strips + s * p.strip_stride + depth * lanes;
            double* out = p.out + s * p.out_stride;
            if (n_vectors == vectors) {
                tile_solve<vectors>(panel, right, out, depth, squares + s * lanes);
            } else if (n_vectors == 2) {
                tile_solve<2>(panel, right, out, depth, squares + s * lanes);
            } else {
                tile_solve<1>(panel, right, out, depth, squares + s * lanes);
            }
        }
        panel += (depth + panel_rows) * panel_rows;
    }
}

bool are_within(const Strip& strip, double largest) {
    auto within = Vec{} == Vec{};
    const Index n_vectors = vectors_of_strip(0, strip.n_columns);
    for (Index k = 0; k < strip.depth; ++k) {
        for (Index v = 0; v < n_vectors; ++v) {
            const Vec value = reinterpret_cast<const Vec*>(strip.values + k * lanes)[v];
            within &= (value <= largest) & (value >= -largest);
        }
    }
    for (int i = 0; i < width; ++i) {
        if (!within[i]) return false;
    }
    return true;
}

Vec power_of(Vec square, int exponent) {
    while (exponent % 2 == 0) {
        square *= square;
        exponent /= 2;
    }
    Vec power = square;
    for (exponent /= 2; exponent > 0; exponent /= 2) {
        square *= square;
        if (exponent % 2 == 1) power *= square;
    }
    return power;
}

void raise(const Strip& strip, int exponent) {
    const Index n_vectors = vectors_of_strip(0, strip.n_columns);
    for (Index k = 0; k < strip.depth; ++k) {
        for (Index v = 0; v < n_vectors; ++v) {
            Vec& value = reinterpret_cast<Vec*>(strip.values + k * lanes)[v];
            value = power_of(value, exponent);
        }
    }
}

void weighted_sum(const Strip& strip, const double* weights, double* sums) {
    for (Index v = 0; v < vectors_of_strip(0, strip.n_columns); ++v) {
        Vec sum = Vec{};
        for (Index k = 0; k < strip.depth; ++k) {
            sum += weights[k] * reinterpret_cast<const Vec*>(strip.values + k * lanes)[v];
        }
        reinterpret_cast<Vec*>(sums)[v] = sum;
    }
}

/// square_held for the first n_vectors vectors of a strip. Even and odd rows have separate sums, because each addition
/// to a sum waits for the one before it.
template <int n_vectors>
LPR_FAST_INLINE void tile_held(const Strip& strip, const Directions& directions, double* squares) {
    Vec total[2][n_vectors] = {};
    for (Index k = 0; k < directions.count; ++k) {
        const double* direction = directions.values + k * strip.depth;
        Vec along[2][n_vectors] = {};
        for (Index i = 0; i + 1 < strip.depth; i += 2) {
            LPR_FAST_UNROLL
            for (int v = 0; v < n_vectors; ++v) {
                const Vec* rows = reinterpret_cast<const Vec*>(strip.values + i * lanes);
                along[0][v] += direction[i] * rows[v];
                along[1][v] += direction[i + 1] * rows[vectors + v];
            }
        }
        const double* last = strip.values + (strip.depth - 1) * lanes;
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            if (strip.depth % 2 == 1) along[0][v] += direction[strip.depth - 1] * reinterpret_cast<const Vec*>(last)[v];
            along[0][v] += along[1][v];
            total[0][v] += directions.left[k] * (along[0][v] * along[0][v]);
        }
        for (Index i = 0; i < strip.depth; ++i) {
            LPR_FAST_UNROLL
            for (int v = 0; v < n_vectors; ++v) {
                reinterpret_cast<Vec*>(strip.values + i * lanes)[v] -= direction[i] * along[0][v];
            }
        }
    }
    for (Index i = 0; i + 1 < strip.depth; i += 2) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            const Vec* rows = reinterpret_cast<const Vec*>(strip.values + i * lanes);
            total[0][v] += rows[v] * rows[v];
            total[1][v] += rows[vectors + v] * rows[vectors + v];
        }
    }
    if (strip.depth % 2 == 1) {
        const Vec* last = reinterpret_cast<const Vec*>(strip.values + (strip.depth - 1) * lanes);
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) total[0][v] += last[v] * last[v];
    }
    LPR_FAST_UNROLL
    for (int v = 0; v < n_vectors; ++v) reinterpret_cast<Vec*>(squares)[v] = total[0][v] + total[1][v];
}

void square_held(const Strip& strip, const Directions& directions, double* squares) {
    const Index n_vectors = vectors_of_strip(0, strip.n_columns);
    if (n_vectors == vectors) {
        tile_held<vectors>(strip, directions, squares);
    } else if (n_vectors == 2) {
        tile_held<2>(strip, directions, squares);
    } else {
        tile_held<1>(strip, directions, squares);
    }
}

/// out -= slopes * (sums - own * values) for the first n_vectors vectors of a row.
template <int n_vectors>
LPR_FAST_INLINE void subtract_scaled(
    const Vec (&sums)[n_vectors], double own, const double* slopes, const double* values, Index n_columns, double* out
) {
    LPR_FAST_UNROLL
    for (int v = 0; v < n_vectors; ++v) {
        const Vec slope = reinterpret_cast<const Vec*>(slopes)[v], value = reinterpret_cast<const Vec*>(values)[v];
        const Vec change = slope * (sums[v] - own * value);
        double* to = out + v * width;
        if ((v + 1) * width <= n_columns) {
            *reinterpret_cast<UnalignedVec*>(to) -= change;
        } else {
            for (Index i = 0; i < n_columns - v * width; ++i) to[i] -= change[i];
        }
    }
}

/// scattered_product for panel i and the first n_vectors vectors of strip s.
template <int n_vectors>
LPR_FAST_INLINE void scattered_tile(const ScatteredProduct& p, Index i, Index s) {
    const double *panel = p.panels + i * p.depth * panel_rows, *strip = p.strips + s * p.strip_stride;
    const ScatteredRow* rows = p.rows + i * panel_rows;
    const Index column = p.first_column + s * lanes;
    for (int r = 0; r < panel_rows; ++r) {
        for (int k = 0; k < lanes; k += line) {
            if (rows[r].out) __builtin_prefetch(rows[r].out + column + k, 1, 3);
        }
    }
    Vec sums[panel_rows][n_vectors];
    clear(sums);
    for (Index k = 0; k < p.n_segments; ++k) {
        add_tile(panel, strip + p.segments[k].first * lanes, p.segments[k].count, sums);
        panel += p.segments[k].count * panel_rows;
    }
    LPR_FAST_UNROLL
    for (int r = 0; r < panel_rows; ++r) {
        if (!rows[r].out) continue;
        const Index factors = s * p.factor_stride + rows[r].factor * lanes;
        subtract_scaled<n_vectors>(
            sums[r], rows[r].own, p.slopes + factors, p.values + factors, p.n_columns - s * lanes, rows[r].out + column
        );
    }
}

void scattered_product(const ScatteredProduct& p) {
    const Index n_strips = (p.n_columns + lanes - 1) / lanes;
    for (Index i = 0; i < p.n_panels; ++i) {
        for (Index s = 0; s < n_strips; ++s) {
            if (i + 1 < p.n_panels) {
                prefetch_share(p.panels + (i + 1) * p.depth * panel_rows, p.depth * panel_rows, s, n_strips);
            }
            const Index n_vectors = vectors_of_strip(s, p.n_columns);
            if (n_vectors == vectors) {
                scattered_tile<vectors>(p, i, s);
            } else if (n_vectors == 2) {
                scattered_tile<2>(p, i, s);
            } else {
                scattered_tile<1>(p, i, s);
            }
        }
    }
}

}  // namespace

extern const HotKernels LPR_FAST_TABLE;
const HotKernels LPR_FAST_TABLE = {
    name,
    width,
    lanes,
    panel_rows,
    &product<Store::assign>,
    &product<Store::add>,
    &product<Store::subtract>,
    &triangular_solve,
    &are_within,
    &raise,
    &weighted_sum,
    &square_held,
    &inner_products,
    &subtract_outer,
    &scattered_product,
};

}  // namespace lpr_fast
