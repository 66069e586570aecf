// Compiled once per instruction set, with LPR_FAST_LEVEL as the suffix of its table. Nothing here may come from an
// inline function or template of a header: the linker keeps one copy of those, and it could be that of another
// instruction set.

#include "hot/kernels.hpp"

#define LPR_FAST_JOIN_(a, b) a##b
#define LPR_FAST_JOIN(a, b) LPR_FAST_JOIN_(a, b)
#define LPR_FAST_TABLE LPR_FAST_JOIN(hot_kernels_, LPR_FAST_LEVEL)

namespace lpr_fast {
namespace {

using Index = std::ptrdiff_t;

// Accumulators of a tile of C fill the vector registers but for those that A and B pass through.
#if defined(__AVX512F__)
constexpr const char* name = "x86-64-v4";
constexpr int vector_bytes = 64;
constexpr int panel_rows = 8;
constexpr int vectors = 3;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr const char* name = "x86-64-v3";
constexpr int vector_bytes = 32;
constexpr int panel_rows = 6;
constexpr int vectors = 2;
#else
#if defined(__x86_64__)
constexpr const char* name = "x86-64";
constexpr int panel_rows = 4;
#else
constexpr const char* name = "baseline";
constexpr int panel_rows = 8;
#endif
constexpr int vector_bytes = 16;
constexpr int vectors = 3;
#endif

constexpr int width = vector_bytes / 8;
constexpr int lanes = width * vectors;

typedef double Vec __attribute__((vector_size(vector_bytes)));

enum class Store { assign, add, subtract };

#define LPR_FAST_UNROLL _Pragma("GCC unroll 16")

/// One panel times one strip.
template <Store store>
inline __attribute__((always_inline)) void tile_product(
    const double* __restrict panel, const double* __restrict strip, Index depth, double* __restrict out
) {
    Vec sums[panel_rows][vectors];
    LPR_FAST_UNROLL
    for (int r = 0; r < panel_rows; ++r) {
        LPR_FAST_UNROLL
        for (int v = 0; v < vectors; ++v) sums[r][v] = Vec{};
    }
    for (Index k = 0; k < depth; ++k) {
        Vec b[vectors];
        LPR_FAST_UNROLL
        for (int v = 0; v < vectors; ++v) b[v] = reinterpret_cast<const Vec*>(strip)[v];
        LPR_FAST_UNROLL
        for (int r = 0; r < panel_rows; ++r) {
            LPR_FAST_UNROLL
            for (int v = 0; v < vectors; ++v) sums[r][v] += panel[r] * b[v];
        }
        panel += panel_rows;
        strip += lanes;
    }
    LPR_FAST_UNROLL
    for (int r = 0; r < panel_rows; ++r) {
        LPR_FAST_UNROLL
        for (int v = 0; v < vectors; ++v) {
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

template <Store store>
void product(const PackedProduct& p) {
    for (Index i = 0; i < p.n_panels; ++i) {
        for (Index s = 0; s < p.n_strips; ++s) {
            tile_product<store>(
                p.panels + i * p.depth * panel_rows, p.strips + s * p.strip_stride, p.depth,
                p.out + s * p.out_stride + i * panel_rows * lanes
            );
        }
    }
}

/// sums[l] += squares of the column l of a tile.
void add_squares(const double* tile, double* sums) {
    for (int v = 0; v < vectors; ++v) {
        Vec sum = reinterpret_cast<Vec*>(sums)[v];
        for (int r = 0; r < panel_rows; ++r) {
            const Vec c = reinterpret_cast<const Vec*>(tile + r * lanes)[v];
            sum += c * c;
        }
        reinterpret_cast<Vec*>(sums)[v] = sum;
    }
}

void triangular_product(const PackedProduct& p, double* squares) {
    const double* panel = p.panels;
    for (Index i = 0; i < p.n_panels; ++i) {
        const Index depth = (i + 1) * panel_rows;
        for (Index s = 0; s < p.n_strips; ++s) {
            double* tile = p.out + s * p.out_stride + i * panel_rows * lanes;
            tile_product<Store::assign>(panel, p.strips + s * p.strip_stride, depth, tile);
            add_squares(tile, squares + s * lanes);
        }
        panel += depth * panel_rows;
    }
}

void raise(double* values, Index count, int exponent) {
    for (Index i = 0; i < count; i += width) {
        Vec square = *reinterpret_cast<Vec*>(values + i);
        Vec power = square;
        int left = exponent;
        while (left % 2 == 0) {
            square *= square;
            power = square;
            left /= 2;
        }
        for (left /= 2; left > 0; left /= 2) {
            square *= square;
            if (left % 2 == 1) power *= square;
        }
        *reinterpret_cast<Vec*>(values + i) = power;
    }
}

void weighted_sum(const double* strip, const double* weights, Index depth, double* sums) {
    for (int v = 0; v < vectors; ++v) {
        Vec sum = Vec{};
        for (Index k = 0; k < depth; ++k) sum += weights[k] * reinterpret_cast<const Vec*>(strip + k * lanes)[v];
        reinterpret_cast<Vec*>(sums)[v] = sum;
    }
}

}  // namespace

extern const HotKernels LPR_FAST_TABLE;
const HotKernels LPR_FAST_TABLE = {
    name,
    lanes,
    panel_rows,
    &product<Store::assign>,
    &product<Store::add>,
    &product<Store::subtract>,
    &triangular_product,
    &raise,
    &weighted_sum,
};

}  // namespace lpr_fast
