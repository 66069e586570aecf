#include "linear_algebra/pivoted_cholesky.hpp"

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "lpr_fast/error.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_pivoted_cholesky {
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

/// The identity with clusters of columns of equal correlation.
Matrix clustered(Index size, Index cluster, double distance) {
    Matrix matrix = Matrix::Identity(size, size);
    for (Index i = 0; i < cluster; ++i) {
        for (Index j = 0; j < i; ++j) matrix(i, j) = matrix(j, i) = 1.0 - distance;
    }
    return matrix;
}

void points_that_the_entries_tell_apart_are_kept() {
    for (const Index size : {5, 16, 100, 700}) {
        for (const double scale : {0.4, 1.0, 5.0}) {
            for (const Index cluster : {2, 3, 5}) {
                const double distance = scale * static_cast<double>(std::max<Index>(size, 16)) * epsilon;
                const Matrix matrix = clustered(size, cluster, distance);
                const PivotedCholesky result = pivoted_cholesky(matrix, 2);
                CHECK(static_cast<Index>(result.pivots.size()) == size);
                CHECK(result.triangle().isUpperTriangular(0.0));
                const double left = (result.root.transpose() * result.root - matrix).cwiseAbs().maxCoeff();
                CHECK(left <= 4.0 * epsilon);
            }
        }
    }
}

void what_rounding_of_the_entries_explains_is_dropped() {
    for (const Index size : {5, 16, 100, 700}) {
        for (const double distance : {0.0, 0.5 * epsilon, epsilon}) {
            CHECK((pivoted_cholesky(clustered(size, 2, distance), 2).redundant == std::vector<Index>{1}));
        }
    }
    // Rank 40 in another basis, so that every entry is rounded.
    const Matrix random = Matrix(Eigen::Map<const RowMatrix>(random_array(200, 40, 11).values.data(), 200, 40));
    for (const int power : {1, 2}) {
        const Matrix features = random.leftCols(power == 1 ? 40 : 8).rowwise().normalized();
        const Matrix kernel = (features * features.transpose()).array().pow(power);
        CHECK(pivoted_cholesky(0.5 * (kernel + kernel.transpose()), 2).pivots.size() == (power == 1 ? 40 : 36));
    }
}

void rounding_beside_the_largest_kernel_is_not_refused() {
    Matrix matrix = Matrix::Identity(4, 4);
    matrix.bottomRightCorner(2, 2) << 1e-17, 2e-17, 2e-17,
        1e-17;  // of the size of rounding errors, and not semidefinite
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
    const Matrix near = clustered(100, 30, 30.0 * epsilon);
    CHECK(pivoted_cholesky(near, 1).root == pivoted_cholesky(near, 2).root);
}

const Tests tests("pivoted_cholesky", [] {
    run("a matrix of full rank keeps every column", a_matrix_of_full_rank_keeps_every_column);
    run("linearly dependent columns are dropped", linearly_dependent_columns_are_dropped);
    run("one of two equal columns is dropped", one_of_two_equal_columns_is_dropped);
    run("a small kernel is not taken for a redundant one", a_small_kernel_is_not_taken_for_a_redundant_one);
    run("points that the entries tell apart are kept", points_that_the_entries_tell_apart_are_kept);
    run("what rounding of the entries explains is dropped", what_rounding_of_the_entries_explains_is_dropped);
    run("rounding beside the largest kernel is not refused", rounding_beside_the_largest_kernel_is_not_refused);
    run("indefinite matrices are refused", indefinite_matrices_are_refused);
    run("the bits do not depend on the number of threads", the_bits_do_not_depend_on_the_number_of_threads);
});

}  // namespace
}  // namespace test_pivoted_cholesky
