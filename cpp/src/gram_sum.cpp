#include "gram_sum.hpp"

#include "symmetric_product.hpp"

namespace lpr_fast {

void GramSum::fold(ConstMatrixView leaf, int n_threads) {
    if (lower_.size() == 0) lower_ = Matrix::Zero(size_, size_);
    add_symmetric_product(lower_, 1.0, as_matrix(leaf), n_threads);
}

void GramSum::merge(const GramSum& other, int /*n_threads*/) {
    if (other.lower_.size() == 0) return;
    if (lower_.size() == 0) {
        lower_ = other.lower_;
    } else {
        lower_ += other.lower_;
    }
}

void GramSum::write(ByteWriter& bytes) const {
    bytes.integer(lower_.size() == 0 ? 0 : 1);
    for (Index j = 0; j < lower_.cols(); ++j) bytes.numbers(lower_.col(j).data() + j, size_ - j);
}

void GramSum::read(ByteReader& bytes) {
    if (bytes.integer(0, 1) == 0) return;
    bytes.expect_numbers(size_ * (size_ + 1) / 2);
    lower_ = Matrix::Zero(size_, size_);
    for (Index j = 0; j < size_; ++j) bytes.numbers(lower_.col(j).data() + j, size_ - j);
}

}  // namespace lpr_fast
