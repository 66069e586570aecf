#pragma once

#include <cstddef>

namespace lpr_fast {

/// Sizes, counts and indices. Indices start at 0.
using Index = std::ptrdiff_t;

/// A row-major matrix that the caller owns: element (i, j) is data[i * stride + j], with stride >= cols.
struct ConstMatrixView {
    const double* data = nullptr;
    Index rows = 0;
    Index cols = 0;
    Index stride = 0;

    constexpr ConstMatrixView() = default;
    /// Contiguous rows: stride = n_cols.
    constexpr ConstMatrixView(const double* first, Index n_rows, Index n_cols)
        : ConstMatrixView(first, n_rows, n_cols, n_cols) {}
    constexpr ConstMatrixView(const double* first, Index n_rows, Index n_cols, Index row_stride)
        : data(first), rows(n_rows), cols(n_cols), stride(row_stride) {}

    constexpr const double* row(Index i) const { return data + i * stride; }
};

/// A writable row-major matrix that the caller owns, with the layout of ConstMatrixView.
struct MatrixView {
    double* data = nullptr;
    Index rows = 0;
    Index cols = 0;
    Index stride = 0;

    constexpr MatrixView() = default;
    constexpr MatrixView(double* first, Index n_rows, Index n_cols) : MatrixView(first, n_rows, n_cols, n_cols) {}
    constexpr MatrixView(double* first, Index n_rows, Index n_cols, Index row_stride)
        : data(first), rows(n_rows), cols(n_cols), stride(row_stride) {}

    constexpr double* row(Index i) const { return data + i * stride; }
    constexpr operator ConstMatrixView() const { return {data, rows, cols, stride}; }
};

/// A contiguous vector that the caller owns.
struct ConstVectorView {
    const double* data = nullptr;
    Index size = 0;
};

/// A writable contiguous vector that the caller owns.
struct VectorView {
    double* data = nullptr;
    Index size = 0;
};

}  // namespace lpr_fast
