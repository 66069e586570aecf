#include "base/sums.hpp"

#include <cmath>

namespace lpr_fast {

double column_sum(ConstMatrixView matrix, Index column) {
    double sum = 0.0, lost = 0.0;
    for (Index i = 0; i < matrix.rows; ++i) {
        const double value = matrix.row(i)[column], next = sum + value;
        lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
        sum = next;
    }
    return sum + lost;
}

}  // namespace lpr_fast
