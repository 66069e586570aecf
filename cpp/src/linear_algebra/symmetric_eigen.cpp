#include "linear_algebra/symmetric_eigen.hpp"

namespace lpr_fast {

SymmetricEigen symmetric_eigen(const Matrix& matrix) {
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(matrix);
    return {solver.eigenvalues(), solver.eigenvectors()};
}

}  // namespace lpr_fast
