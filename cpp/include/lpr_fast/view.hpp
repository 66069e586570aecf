#pragma once

#include <cstddef>

namespace lpr_fast {

/// Sizes, counts and positions.
using Index = std::ptrdiff_t;

/// A row-major matrix that somebody else owns: element (i, j) is data[i * stride + j], stride >= cols.
struct ConstMatrixView {
    const double* data = nullptr;
    Index rows = 0;
    Index cols = 0;
    Index stride = 0;

    const double* row(Index i) const { return data + i * stride; }
};

/// A writable row-major matrix that somebody else owns, laid out as ConstMatrixView.
struct MatrixView {
    double* data = nullptr;
    Index rows = 0;
    Index cols = 0;
    Index stride = 0;

    double* row(Index i) const { return data + i * stride; }
};

/// A contiguous vector that somebody else owns. A null pointer stands for "not given" where that is allowed.
struct ConstVectorView {
    const double* data = nullptr;
    Index size = 0;
};

}  // namespace lpr_fast
