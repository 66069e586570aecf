#include "linear_algebra/pivoted_cholesky.hpp"

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "lpr_fast/error.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace {

Matrix integer_gram(Index size, Index rank, unsigned seed) {
    std::mt19937_64 generator(seed);
    std::uniform_int_distribution<int> integer(-3, 3);
    Matrix features(size, rank);
    for (Index i = 0; i < size; ++i) {
        for (Index j = 0; j < rank; ++j) features(i, j) = integer(generator);
    }
    return features * features.transpose();
}

void check_root(const Matrix& matrix, const PivotedCholesky& result, double tolerance) {
    const Matrix difference = result.root.transpose() * result.root - matrix;
    CHECK(difference.cwiseAbs().maxCoeff() <= tolerance * matrix.diagonal().maxCoeff());
    CHECK(static_cast<Index>(result.pivots.size() + result.redundant.size()) == matrix.cols());
}

void a_matrix_of_full_rank_keeps_every_column() {
    const Index size = 1000;
    Matrix matrix = integer_gram(size, 1200, 1);
    const PivotedCholesky result = pivoted_cholesky(matrix, 2);
    CHECK(static_cast<Index>(result.pivots.size()) == size);
    check_root(matrix, result, 1e-13);
}

void linearly_dependent_columns_are_dropped() {
    for (const Index rank : {1, 63, 64, 65, 150}) {
        const Matrix matrix = integer_gram(300, rank, static_cast<unsigned>(rank));
        const PivotedCholesky result = pivoted_cholesky(matrix, 2);
        CHECK(static_cast<Index>(result.pivots.size()) == rank);
        check_root(matrix, result, 1e-13);
    }
}

void one_of_two_equal_columns_is_dropped() {
    Matrix matrix(3, 3);
    matrix << 2, 1, 2, 1, 3, 1, 2, 1, 2;
    const PivotedCholesky result = pivoted_cholesky(matrix, 1);
    CHECK((result.pivots == std::vector<Index>{1, 0}));
    CHECK((result.redundant == std::vector<Index>{2}));
    CHECK(result.triangle().isUpperTriangular(0.0));
}

void a_small_kernel_is_not_taken_for_a_redundant_one() {
    Matrix matrix = integer_gram(40, 60, 9);
    const Vector scale =
        Vector::LinSpaced(40, -30.0, 30.0).unaryExpr([](double e) { return std::exp2(std::round(e)); });
    matrix = (scale.asDiagonal() * matrix * scale.asDiagonal()).eval();
    CHECK(pivoted_cholesky(matrix, 1).pivots.size() == 40);
}

void rounding_beside_the_largest_kernel_is_not_refused() {
    Matrix matrix = Matrix::Identity(4, 4);
    matrix.bottomRightCorner(2, 2) << 1e-17, 2e-17, 2e-17, 1e-17;  // rounding, and not semidefinite
    CHECK((pivoted_cholesky(matrix, 1).redundant == std::vector<Index>{3}));
}

void indefinite_matrices_are_refused() {
    Matrix matrix(2, 2);
    matrix << 1, 2, 2, 1;
    CHECK_THROWS(NotPositiveDefinite, "positive semidefinite", pivoted_cholesky(matrix, 1));
    matrix << 0, 1, 1, 0;
    CHECK_THROWS(NotPositiveDefinite, "positive semidefinite", pivoted_cholesky(matrix, 1));
    matrix << 1, 0, 0, -1e-6;
    CHECK_THROWS(NotPositiveDefinite, "positive semidefinite", pivoted_cholesky(matrix, 1));
    matrix.setZero();
    CHECK_THROWS(NotPositiveDefinite, "or is zero", pivoted_cholesky(matrix, 1));
}

void the_bits_do_not_depend_on_the_number_of_threads() {
    const Matrix matrix = integer_gram(400, 500, 7);
    const PivotedCholesky one = pivoted_cholesky(matrix, 1);
    const PivotedCholesky two = pivoted_cholesky(matrix, 2);
    CHECK(one.pivots == two.pivots);
    CHECK(one.root == two.root);
}

}  // namespace

int main() {
    run("a matrix of full rank keeps every column", a_matrix_of_full_rank_keeps_every_column);
    run("linearly dependent columns are dropped", linearly_dependent_columns_are_dropped);
    run("one of two equal columns is dropped", one_of_two_equal_columns_is_dropped);
    run("a small kernel is not taken for a redundant one", a_small_kernel_is_not_taken_for_a_redundant_one);
    run("rounding beside the largest kernel is not refused", rounding_beside_the_largest_kernel_is_not_refused);
    run("indefinite matrices are refused", indefinite_matrices_are_refused);
    run("the bits do not depend on the number of threads", the_bits_do_not_depend_on_the_number_of_threads);
    return failures == 0 ? 0 : 1;
}
