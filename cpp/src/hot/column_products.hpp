#pragma once

// Products of matrices whose columns are not packed. Everything here has internal linkage: see hot/kernels.cpp.

#include "hot/register_tiles.hpp"

namespace lpr_fast {
namespace {

// Rows that are multiplied together: this part of both matrices stays in the second-level cache.
constexpr Index chunk_rows = 512;

static_assert(column_tile % b_tile == 0 && column_tile % panel_rows == 0, "all tiles but the last are whole");
static_assert(chunk_rows % width == 0, "all chunks but the last are whole vectors");

double sum_of(Vec v) {
    double sum = 0.0;
    for (int i = 0; i < width; ++i) sum += v[i];
    return sum;
}

/// out(k, j) += sum over rows i of a(i, k) b(i, j), for a tile of columns.
template <int n_a, int n_b>
LPR_FAST_INLINE void inner_tile(
    const double* a, Index a_stride, const double* b, Index b_stride, Index rows, double* out, Index out_stride
) {
    Vec sums[n_b][n_a];
    LPR_FAST_UNROLL
    for (int j = 0; j < n_b; ++j) {
        LPR_FAST_UNROLL
        for (int k = 0; k < n_a; ++k) sums[j][k] = Vec{};
    }
    const Index whole = rows / width * width;
    for (Index i = 0; i < whole; i += width) {
        Vec left[n_a];
        LPR_FAST_UNROLL
        for (int k = 0; k < n_a; ++k) left[k] = *reinterpret_cast<const UnalignedVec*>(a + k * a_stride + i);
        LPR_FAST_UNROLL
        for (int j = 0; j < n_b; ++j) {
            const Vec right = *reinterpret_cast<const UnalignedVec*>(b + j * b_stride + i);
            LPR_FAST_UNROLL
            for (int k = 0; k < n_a; ++k) sums[j][k] += left[k] * right;
        }
    }
    for (int j = 0; j < n_b; ++j) {
        for (int k = 0; k < n_a; ++k) {
            double sum = sum_of(sums[j][k]);
            for (Index i = whole; i < rows; ++i) sum += a[k * a_stride + i] * b[j * b_stride + i];
            out[j * out_stride + k] += sum;
        }
    }
}

template <int n_b>
void inner_columns(const ColumnProduct& p, Index first, Index rows, Index j) {
    const double* b = p.b + j * p.b_stride + first;
    double* out = p.out + j * p.a_columns;
    Index k = 0;
    for (; k + a_tile <= p.a_columns; k += a_tile) {
        inner_tile<a_tile, n_b>(p.a + k * p.a_stride + first, p.a_stride, b, p.b_stride, rows, out + k, p.a_columns);
    }
    for (; k < p.a_columns; ++k) {
        inner_tile<1, n_b>(p.a + k * p.a_stride + first, p.a_stride, b, p.b_stride, rows, out + k, p.a_columns);
    }
}

void inner_products(const ColumnProduct& p) {
    for (Index i = 0; i < p.a_columns * p.b_columns; ++i) p.out[i] = 0.0;
    for (Index first = 0; first < p.rows; first += chunk_rows) {
        const Index rows = p.rows - first < chunk_rows ? p.rows - first : chunk_rows;
        Index j = 0;
        for (; j + b_tile <= p.b_columns; j += b_tile) inner_columns<b_tile>(p, first, rows, j);
        for (; j < p.b_columns; ++j) inner_columns<1>(p, first, rows, j);
    }
}

/// b(i, j) -= sum over k of a(i, k) out(k, j), for some vectors of rows and a tile of columns.
template <int n_vectors, int n_b>
LPR_FAST_INLINE void outer_tile(
    const double* a, Index a_stride, const double* factors, Index depth, double* b, Index b_stride
) {
    Vec sums[n_b][n_vectors];
    LPR_FAST_UNROLL
    for (int j = 0; j < n_b; ++j) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) sums[j][v] = Vec{};
    }
    for (Index k = 0; k < depth; ++k) {
        Vec left[n_vectors];
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            left[v] = *reinterpret_cast<const UnalignedVec*>(a + k * a_stride + v * width);
        }
        LPR_FAST_UNROLL
        for (int j = 0; j < n_b; ++j) {
            LPR_FAST_UNROLL
            for (int v = 0; v < n_vectors; ++v) sums[j][v] += factors[j * depth + k] * left[v];
        }
    }
    LPR_FAST_UNROLL
    for (int j = 0; j < n_b; ++j) {
        LPR_FAST_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            *reinterpret_cast<UnalignedVec*>(b + j * b_stride + v * width) -= sums[j][v];
        }
    }
}

template <int n_vectors>
void outer_rows(const ColumnProduct& p, Index i) {
    Index j = 0;
    for (; j + panel_rows <= p.b_columns; j += panel_rows) {
        outer_tile<n_vectors, panel_rows>(
            p.a + i, p.a_stride, p.out + j * p.a_columns, p.a_columns, p.b + j * p.b_stride + i, p.b_stride
        );
    }
    for (; j < p.b_columns; ++j) {
        outer_tile<n_vectors, 1>(
            p.a + i, p.a_stride, p.out + j * p.a_columns, p.a_columns, p.b + j * p.b_stride + i, p.b_stride
        );
    }
}

void subtract_outer(const ColumnProduct& p) {
    Index i = 0;
    for (; i + lanes <= p.rows; i += lanes) outer_rows<vectors>(p, i);
    for (; i + width <= p.rows; i += width) outer_rows<1>(p, i);
    for (; i < p.rows; ++i) {
        for (Index j = 0; j < p.b_columns; ++j) {
            double sum = 0.0;
            for (Index k = 0; k < p.a_columns; ++k) sum += p.a[k * p.a_stride + i] * p.out[j * p.a_columns + k];
            p.b[j * p.b_stride + i] -= sum;
        }
    }
}

}  // namespace
}  // namespace lpr_fast
