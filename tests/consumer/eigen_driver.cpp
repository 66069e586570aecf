// Prints the quadratic forms of the library, then those of this program's own Eigen, from the definition.

#include <Eigen/Dense>

#include "problem.hpp"

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

int main() {
    const Problem problem;
    const Eigen::Map<const Matrix> rows(problem.rows.data(), Problem::n_rows, Problem::size);
    const Eigen::Map<const Matrix> phi(problem.phi.data(), Problem::n_environments, Problem::size);

    Matrix hessian = rows.transpose() * rows;
    hessian.diagonal().array() += Problem::regularizer;
    const Eigen::MatrixXd right = phi.transpose();
    const Eigen::MatrixXd solved = hessian.ldlt().solve(right);
    const Eigen::VectorXd defined = right.cwiseProduct(solved).colwise().sum();

    print(quadratic_forms(problem));
    print({defined.data(), defined.data() + defined.size()});
}
