#include "rigidity/gram_sum.hpp"

#include "base/parallel.hpp"
#include "linear_algebra/symmetric_product.hpp"

namespace lpr_fast {

void GramSum::fold(ConstMatrixView leaf, double log_weights, int n_threads) {
    Matrix term = Matrix::Zero(width_, width_);
    const auto rows = as_matrix(leaf);
    add_symmetric_product(term.topLeftCorner(size_, size_), 1.0, rows.leftCols(size_), n_threads);
    // A product of its own, because the width of a product may change its last bits.
    term.bottomRows(width_ - size_).noalias() = rows.rightCols(width_ - size_).transpose() * rows;
    add(term, n_threads);
    log_weights_ += log_weights;
}

void GramSum::add(const Matrix& term, int n_threads) {
    if (lower_.size() == 0) {
        lower_ = term;
        lost_ = Matrix::Zero(width_, width_);
        return;
    }
    parallel_for_each(width_, n_threads, [&](Index j) {
        double* sum = lower_.col(j).data();
        double* lost = lost_.col(j).data();
        for (Index i = j; i < width_; ++i) {
            const double corrected = term(i, j) - lost[i];
            const double next = sum[i] + corrected;
            lost[i] = (next - sum[i]) - corrected;
            sum[i] = next;
        }
    });
}

void GramSum::merge(const GramSum& other, int n_threads) {
    if (other.lower_.size() == 0) return;
    add(other.lower_, n_threads);
    lost_ += other.lost_;
    log_weights_ += other.log_weights_;
}

void GramSum::write(ByteWriter& bytes) const {
    bytes.integer(lower_.size() == 0 ? 0 : 1);
    bytes.numbers(&log_weights_, 1);
    for (const Matrix* matrix : {&lower_, &lost_}) {
        for (Index j = 0; j < matrix->cols(); ++j) bytes.numbers(matrix->col(j).data() + j, width_ - j);
    }
}

void GramSum::read(ByteReader& bytes) {
    const bool is_empty = bytes.integer(0, 1) == 0;
    bytes.numbers(&log_weights_, 1);
    if (is_empty) return;
    bytes.expect_numbers(width_ * (width_ + 1));
    for (Matrix* matrix : {&lower_, &lost_}) {
        *matrix = Matrix::Zero(width_, width_);
        for (Index j = 0; j < width_; ++j) bytes.numbers(matrix->col(j).data() + j, width_ - j);
    }
}

}  // namespace lpr_fast
