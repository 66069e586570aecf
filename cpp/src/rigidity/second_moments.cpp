#include "lpr_fast/second_moments.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "linear_algebra/symmetric_product.hpp"
#include "rigidity/whitened.hpp"

namespace lpr_fast {
namespace {

// Many rows, so that the sum is read and written rarely; few rows beside those of a large model.
constexpr Index chunk_rows = 4 * block_depth;

}  // namespace

struct SecondMomentsState {
    HessianFactor factor;
    Freedom freedom;
    RowMatrix chunk;  ///< sqrt(w) z of the pending rows, which are not yet in the sum
    Index n_pending;  ///< number of pending rows
    Matrix sum;       ///< lower triangle
    Index n_rows;     ///< number of all rows

    SecondMomentsState(HessianFactor given, Freedom wanted)
        : factor(std::move(given)),
          freedom(wanted),
          chunk(chunk_rows, factor.state().triangle.cols()),
          n_pending(0),
          sum(Matrix::Zero(chunk.cols(), chunk.cols())),
          n_rows(0) {}
};

SecondMoments::SecondMoments(HessianFactor factor, Freedom freedom) {
    check_freedom(factor.state(), freedom);
    state_ = std::make_unique<SecondMomentsState>(std::move(factor), freedom);
}

SecondMoments::SecondMoments(SecondMoments&&) noexcept = default;
SecondMoments& SecondMoments::operator=(SecondMoments&&) noexcept = default;
SecondMoments::~SecondMoments() = default;

void SecondMoments::add(ConstMatrixView phi, std::optional<ConstVectorView> weights, int n_threads) {
    SecondMomentsState& s = *state_;
    check_columns("phi", phi, s.factor.size());
    check_rows(phi, weights, s.n_rows);
    const int threads = resolve_threads(n_threads);
    for (Index first = 0; first < phi.rows;) {
        const Index count = std::min(phi.rows - first, chunk_rows - s.n_pending);
        const MatrixView room(s.chunk.data() + s.n_pending * s.chunk.cols(), count, s.chunk.cols());
        write_whitened(s.factor.state(), {phi.row(first), count, phi.cols, phi.stride}, s.freedom, room, threads);
        for (Index i = 0; weights && i < count; ++i) {
            s.chunk.row(s.n_pending + i) *= std::sqrt(weights->data[first + i]);
        }
        first += count;
        s.n_rows += count;
        s.n_pending += count;
        if (s.n_pending < chunk_rows) continue;
        add_symmetric_product(s.sum, 1.0, s.chunk, threads);
        s.n_pending = 0;
    }
}

void SecondMoments::sum(MatrixView out, int n_threads) const {
    const SecondMomentsState& s = *state_;
    check_output("out", out, size(), size());
    Matrix sum = s.sum;
    add_symmetric_product(sum, 1.0, s.chunk.topRows(s.n_pending), resolve_threads(n_threads));
    for (Index i = 0; i < size(); ++i) {
        for (Index j = 0; j <= i; ++j) out.row(i)[j] = out.row(j)[i] = sum(i, j);
    }
}

Index SecondMoments::size() const {
    return state_->chunk.cols();
}

Index SecondMoments::n_rows() const {
    return state_->n_rows;
}

}  // namespace lpr_fast
