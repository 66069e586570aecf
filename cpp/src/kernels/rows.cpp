#include "kernels/rows.hpp"

#include <algorithm>
#include <cmath>

#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "lpr_fast/kernels.hpp"

namespace lpr_fast {

double dot(const double* a, const double* b, Index size) {
    constexpr Index n_partial = 8;
    double partial[n_partial] = {};
    Index k = 0;
    for (; k + n_partial <= size; k += n_partial) {
        for (Index l = 0; l < n_partial; ++l) partial[l] += a[k + l] * b[k + l];
    }
    double sum = ((partial[0] + partial[1]) + (partial[2] + partial[3])) +
                 ((partial[4] + partial[5]) + (partial[6] + partial[7]));
    for (; k < size; ++k) sum += a[k] * b[k];
    return sum;
}

void normalise(const double* row, Index size, double* out) {
    const double norm = std::sqrt(dot(row, row, size));
    if (norm > 0.0) {
        for (Index k = 0; k < size; ++k) out[k] = row[k] / norm;
    } else {
        std::fill_n(out, size, 0.0);
    }
}

void normalised_rows(ConstMatrixView features, MatrixView out, int n_threads) {
    constexpr Index rows_together = 256;
    check_view("features", features);
    check_output("out", out, features.rows, features.cols);
    parallel_for_each(tile_count(features.rows, rows_together), resolve_threads(n_threads), [&](Index task) {
        const Index last = std::min((task + 1) * rows_together, features.rows);
        for (Index i = task * rows_together; i < last; ++i) {
            check_environment("features", features.row(i), features.cols, i);
            normalise(features.row(i), features.cols, out.row(i));
        }
    });
}

}  // namespace lpr_fast
