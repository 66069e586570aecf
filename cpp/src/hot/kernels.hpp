#pragma once

#include <cstddef>

namespace lpr_fast {

/// C (+|-)= A B with A in panels of rows and B, C in strips of columns, all packed; see docs/kernel.md.
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
    std::ptrdiff_t lanes;
    std::ptrdiff_t panel_rows;

    void (*assign_product)(const PackedProduct& product);
    void (*add_product)(const PackedProduct& product);
    void (*subtract_product)(const PackedProduct& product);

    /// C = A B with A lower triangular, panel p of depth (p + 1) * panel_rows, and squares[l] += sum of C(k, l)^2 for
    /// every column l of every strip.
    void (*triangular_product)(const PackedProduct& product, double* squares);

    /// Whether all |values[i]| <= largest; not so for NaN. count is a multiple of lanes.
    bool (*are_within)(const double* values, std::ptrdiff_t count, double largest);

    /// values[i] <- values[i]^exponent, exponent >= 1, by products; count is a multiple of lanes.
    void (*raise)(double* values, std::ptrdiff_t count, int exponent);

    /// sums[l] = sum over k of weights[k] * strip(k, l).
    void (*weighted_sum)(const double* strip, const double* weights, std::ptrdiff_t depth, double* sums);

    /// out = A^T B; nothing is packed, and no address need be aligned.
    void (*inner_products)(const ColumnProduct& product);

    /// B -= A out, with A of (rows, a_columns) and out of (a_columns, b_columns).
    void (*subtract_outer)(const ColumnProduct& product);
};

// One table for each instruction set that was compiled; see instruction_set.cpp.
extern const HotKernels hot_kernels_baseline;
extern const HotKernels hot_kernels_v3;
extern const HotKernels hot_kernels_v4;

}  // namespace lpr_fast
