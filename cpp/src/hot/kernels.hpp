#pragma once

#include <cstddef>

namespace lpr_fast {

// Sizes that callers cut by, the same for all instruction sets: each of them checks that its own fit.

/// Columns of A that a product takes at a time: a strip of B of that depth stays in the first-level cache.
inline constexpr std::ptrdiff_t block_depth = 240;
/// Rows and columns of a tile of a symmetric product.
inline constexpr std::ptrdiff_t product_tile = 144;
/// Columns of a column product that one thread takes.
inline constexpr std::ptrdiff_t column_tile = 72;

/// C (+|-)= A B with A in panels of rows and B, C in strips of columns, all packed; see docs/explanation/kernel.md.
struct PackedProduct {
    const double* panels;         ///< A: n_panels blocks of (depth, panel_rows)
    std::ptrdiff_t n_panels;      ///< rows of A over panel_rows
    std::ptrdiff_t depth;         ///< columns of A, rows of B
    const double* strips;         ///< B: strips of (depth or more, lanes)
    std::ptrdiff_t strip_stride;  ///< from one strip of B to the next
    double* out;                  ///< C: strips of (n_panels * panel_rows or more, lanes)
    std::ptrdiff_t out_stride;    ///< from one strip of C to the next
    std::ptrdiff_t n_columns;     ///< of B and C; vectors of the last strip beyond them are neither read nor written
};

/// Columns side by side; vectors beyond n_columns are neither read nor written.
struct Strip {
    double* values;  ///< (depth, lanes)
    std::ptrdiff_t depth;
    std::ptrdiff_t n_columns;  ///< 1 ... lanes
};

/// Directions that a projection takes columns off, or some of them.
struct Directions {
    const double* values;  ///< (count, depth), orthonormal rows
    std::ptrdiff_t count;
    const double* left;  ///< (count,) what stays of the square along each
};

/// Rows of B that follow one another.
struct ProductSegment {
    std::ptrdiff_t first;
    std::ptrdiff_t count;
};

/// Where a row of a scattered product goes.
struct ScatteredRow {
    double* out;            ///< row of the output; none for what fills up the last panel
    std::ptrdiff_t factor;  ///< row of the slopes and values
    double own;
};

/// out_r -= slopes_r (A B - own_r values_r) for every row r of A, with A in panels of rows, B and the factors in strips
/// of columns, and the output's rows anywhere.
struct ScatteredProduct {
    const double* panels;            ///< A: n_panels blocks of (depth, panel_rows)
    std::ptrdiff_t n_panels;         ///< rows of A over panel_rows
    std::ptrdiff_t depth;            ///< of all segments
    const ProductSegment* segments;  ///< rows of B that the columns of A stand for
    std::ptrdiff_t n_segments;
    const double* strips;          ///< B: strips of (strip_stride / lanes, lanes)
    std::ptrdiff_t strip_stride;   ///< from one strip of B to the next
    std::ptrdiff_t n_columns;      ///< of B
    const ScatteredRow* rows;      ///< (n_panels * panel_rows,)
    const double* slopes;          ///< strips of (n_factors, lanes)
    const double* values;          ///< as slopes
    std::ptrdiff_t factor_stride;  ///< from one strip of slopes to the next
    std::ptrdiff_t first_column;   ///< of the output
};

/// Two column-major matrices of as many rows, and a third for A^T B, with b_columns columns of a_columns rows each.
struct ColumnProduct {
    const double* a;
    std::ptrdiff_t a_stride;  ///< from one column to the next
    std::ptrdiff_t a_columns;
    double* b;
    std::ptrdiff_t b_stride;
    std::ptrdiff_t b_columns;
    std::ptrdiff_t rows;
    double* out;
};

/// The innermost loops, compiled once per instruction set; addresses are multiples of 64 bytes.
///
/// A strip holds `lanes` columns side by side: element (k, l) is strip[k * lanes + l]. Every column goes through the
/// same instructions whatever stands beside it, so that its bits depend on itself alone.
struct HotKernels {
    const char* instruction_set;
    std::ptrdiff_t width;  ///< numbers in a vector, of which a strip has several side by side
    std::ptrdiff_t lanes;
    std::ptrdiff_t panel_rows;

    void (*assign_product)(const PackedProduct& product);
    void (*add_product)(const PackedProduct& product);
    void (*subtract_product)(const PackedProduct& product);

    /// C = L^-1 B by forward substitution, and squares[l] += sum of C(k, l)^2 for every column l of every strip. Panel
    /// p of L is of depth (p + 1) * panel_rows; on its diagonal stand the reciprocals of that of L.
    void (*triangular_solve)(const PackedProduct& product, double* squares);

    /// Whether all |values| <= largest; not so for NaN.
    bool (*are_within)(const Strip& strip, double largest);

    /// values <- values^exponent, exponent >= 1, by products.
    void (*raise)(const Strip& strip, int exponent);

    /// sums[l] = sum over k of weights[k] * strip(k, l).
    void (*weighted_sum)(const Strip& strip, const double* weights, double* sums);

    /// squares[l] = |strip(:, l)|^2 but for what is taken off along the directions. The strip loses all that is along
    /// them.
    void (*square_held)(const Strip& strip, const Directions& directions, double* squares);

    /// out = A^T B; nothing is packed, and no address need be aligned.
    void (*inner_products)(const ColumnProduct& product);

    /// B -= A out, with A of (rows, a_columns) and out of (a_columns, b_columns).
    void (*subtract_outer)(const ColumnProduct& product);

    /// A row's bits depend on itself and B alone.
    void (*scattered_product)(const ScatteredProduct& product);
};

// One table for each instruction set that was compiled; see instruction_set.cpp.
extern const HotKernels hot_kernels_baseline;
extern const HotKernels hot_kernels_v3;
extern const HotKernels hot_kernels_v4;

}  // namespace lpr_fast
