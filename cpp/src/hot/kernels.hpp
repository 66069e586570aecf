#pragma once

#include <cstddef>

namespace lpr_fast {

// Sizes of the blocks of all callers. They are the same for all instruction sets, each of which checks at compile time
// that its own sizes divide them.

/// Columns of A in one block of a product: a strip of B of this depth stays in the first-level cache.
inline constexpr std::ptrdiff_t block_depth = 240;
/// Rows and columns of a tile of a symmetric product.
inline constexpr std::ptrdiff_t product_tile = 144;
/// Columns of a column product that one thread computes.
inline constexpr std::ptrdiff_t column_tile = 72;

/// C (+|-)= A B, with A in panels of rows, and B and C in strips of columns, all packed; see
/// docs/explanation/kernel.md.
struct PackedProduct {
    const double* panels;         ///< A: n_panels blocks of (depth, panel_rows)
    std::ptrdiff_t n_panels;      ///< rows of A / panel_rows
    std::ptrdiff_t depth;         ///< columns of A, rows of B
    const double* strips;         ///< B: strips of (depth or more, lanes)
    std::ptrdiff_t strip_stride;  ///< from one strip of B to the next
    double* out;                  ///< C: strips of (n_panels * panel_rows or more, lanes)
    std::ptrdiff_t out_stride;    ///< from one strip of C to the next
    std::ptrdiff_t n_columns;     ///< of B and C; vectors of the last strip beyond these are neither read nor written
};

/// Columns side by side; vectors beyond n_columns are neither read nor written.
struct Strip {
    double* values;  ///< (depth, lanes)
    std::ptrdiff_t depth;
    std::ptrdiff_t n_columns;  ///< 1 ... lanes
};

/// Directions that a projection removes, wholly or in part.
struct Directions {
    const double* values;  ///< (count, depth), orthonormal rows
    std::ptrdiff_t count;
    const double* left;  ///< (count,) fraction of the squared component along each direction that remains
};

/// Consecutive rows of B.
struct ProductSegment {
    std::ptrdiff_t first;
    std::ptrdiff_t count;
};

/// Destination of a row of a scattered product.
struct ScatteredRow {
    double* out;            ///< row of the output; null for rows that only fill the last panel
    std::ptrdiff_t factor;  ///< row of the slopes and values
    double own;             ///< own_r of ScatteredProduct
};

/// out_r -= slopes_r ((A B)_r - own_r values_r) for every row r of A, element by element. A is in panels of rows; B,
/// slopes and values are in strips of columns; rows of the output may be anywhere.
struct ScatteredProduct {
    const double* panels;            ///< A: n_panels blocks of (depth, panel_rows)
    std::ptrdiff_t n_panels;         ///< rows of A / panel_rows
    std::ptrdiff_t depth;            ///< total count of all segments
    const ProductSegment* segments;  ///< rows of B that the columns of A multiply
    std::ptrdiff_t n_segments;
    const double* strips;          ///< B: strips of (strip_stride / lanes, lanes)
    std::ptrdiff_t strip_stride;   ///< from one strip of B to the next
    std::ptrdiff_t n_columns;      ///< of B
    const ScatteredRow* rows;      ///< (n_panels * panel_rows,)
    const double* slopes;          ///< strips of (n_factors, lanes)
    const double* values;          ///< strips of (n_factors, lanes)
    std::ptrdiff_t factor_stride;  ///< from one strip of slopes to the next
    std::ptrdiff_t first_column;   ///< of the output
};

/// Two column-major matrices A and B with the same number of rows, and `out`, which has b_columns columns of a_columns
/// rows, such as A^T B.
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

/// The innermost loops, compiled once per instruction set. Addresses must be multiples of 64 bytes.
///
/// A strip holds `lanes` columns side by side: element (k, l) is strip[k * lanes + l]. The same instructions run on
/// every column, so the bits of a column do not depend on the other columns.
struct HotKernels {
    const char* instruction_set;
    std::ptrdiff_t width;       ///< numbers in a vector
    std::ptrdiff_t lanes;       ///< columns of a strip, a multiple of width
    std::ptrdiff_t panel_rows;  ///< rows of a panel

    void (*assign_product)(const PackedProduct& product);    ///< C = A B
    void (*add_product)(const PackedProduct& product);       ///< C += A B
    void (*subtract_product)(const PackedProduct& product);  ///< C -= A B

    /// C = L^-1 B by forward substitution, and squares[l] += sum over k of C(k, l)^2 for every column l of every strip.
    /// Panel p of L has depth (p + 1) * panel_rows and holds the reciprocals of the diagonal of L.
    void (*triangular_solve)(const PackedProduct& product, double* squares);

    /// Whether all |values| <= largest; false if one is NaN.
    bool (*are_within)(const Strip& strip, double largest);

    /// values <- values^exponent, by multiplications; exponent >= 1.
    void (*raise)(const Strip& strip, int exponent);

    /// sums[l] = sum over k of weights[k] * strip(k, l).
    void (*weighted_sum)(const Strip& strip, const double* weights, double* sums);

    /// squares[l] = |strip(:, l)|^2 - sum over directions d_k of (1 - left_k) (d_k . strip(:, l))^2. The strip loses
    /// its components along all directions.
    void (*square_held)(const Strip& strip, const Directions& directions, double* squares);

    /// out = A^T B. Nothing is packed, and addresses need not be aligned.
    void (*inner_products)(const ColumnProduct& product);

    /// B -= A out, with A of (rows, a_columns) and out of (a_columns, b_columns).
    void (*subtract_outer)(const ColumnProduct& product);

    /// See ScatteredProduct. The bits of a row depend on that row of A and on B alone.
    void (*scattered_product)(const ScatteredProduct& product);
};

// One table for each instruction set that was compiled; see instruction_set.cpp.
extern const HotKernels hot_kernels_baseline;
extern const HotKernels hot_kernels_v3;
extern const HotKernels hot_kernels_v4;

}  // namespace lpr_fast
