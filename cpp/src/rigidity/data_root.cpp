#include "rigidity/data_root.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

#include "linear_algebra/symmetric_eigen.hpp"
#include "linear_algebra/triangularize.hpp"

namespace lpr_fast {
namespace {

DataRoot root_of(const AccumulatorState& accumulated, const SquareRootSum& sum, int n_threads) {
    auto blocks = sum.blocks();
    blocks.push_back(accumulated.pending_rows());
    const Triangle triangle = triangularize(blocks, n_threads, accumulated.n_targets);
    const double last = triangle.rest.size() == 0 ? 0.0 : triangle.rest(0, 0);
    return {triangle.rows(accumulated.width()), std::hypot(sum.rest(), last)};
}

/// sqrt(eigenvalues) times eigenvectors. Eigenvalues within rounding of the largest count as zero.
DataRoot root_of(const AccumulatorState& accumulated, GramSum sum, int n_threads) {
    const Index size = accumulated.size;
    sum.fold(accumulated.pending_rows(), 0.0, n_threads);
    const auto [values, vectors] = symmetric_eigen(sum.lower().topLeftCorner(size, size));
    const double largest = values.cwiseAbs().maxCoeff();
    const double rounding = static_cast<double>(size) * epsilon * largest;
    DataRoot root{RowMatrix::Zero(size, accumulated.width()), 0.0};
    double left = accumulated.n_targets == 0 ? 0.0 : sum.lower()(size, size);
    for (Index k = 0; k < size; ++k) {
        const double value = values(k);
        if (!(value > rounding)) continue;
        root.rows.row(k).head(size) = std::sqrt(value) * vectors.col(k).transpose();
        if (accumulated.n_targets == 0) continue;
        const double target = sum.lower().row(size).head(size).dot(vectors.col(k)) / std::sqrt(value);
        root.rows(k, size) = target;
        left -= target * target;
    }
    root.rest = std::sqrt(std::max(left, 0.0));
    return root;
}

}  // namespace

DataRoot data_root(const AccumulatorState& accumulated, int n_threads) {
    return std::visit([&](const auto& sum) { return root_of(accumulated, sum, n_threads); }, accumulated.sum);
}

}  // namespace lpr_fast
