#include "linear_algebra/triangularize.hpp"

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_triangularize {
namespace {

Matrix square_of(const Triangle& triangle, Index n_columns) {
    const RowMatrix rows = triangle.rows(n_columns);
    return rows.transpose() * rows;
}

void hadamard_rows_give_a_diagonal_factor() {
    // Orthogonal columns: R is sqrt(sum of squares) on the diagonal and zero elsewhere. Size 1024 crosses all panels.
    const Index size = 1024;
    const Array rows = hadamard(size);
    const RowMatrix r = triangularize({rows.view(), rows.view()}, 2).r;
    const double expected = std::sqrt(2.0 * static_cast<double>(size));
    double off_diagonal = 0.0;
    for (Index i = 0; i < size; ++i) {
        CHECK_CLOSE(r(i, i), expected, 1e-13);
        for (Index j = 0; j < i; ++j) CHECK(r(i, j) == 0.0);
        for (Index j = i + 1; j < size; ++j) off_diagonal = std::max(off_diagonal, std::abs(r(i, j)));
    }
    CHECK(off_diagonal < 1e-12 * expected);
}

void the_square_is_that_of_the_rows() {
    const Array a = random_array(300, 70, 1);
    const Array b = random_array(50, 70, 2);
    const Triangle triangle = triangularize({a.view(), b.view()}, 2);
    const Matrix expected =
        as_matrix(a.view()).transpose() * as_matrix(a.view()) + as_matrix(b.view()).transpose() * as_matrix(b.view());
    CHECK((square_of(triangle, 70) - expected).norm() < 1e-13 * expected.norm());
    CHECK((triangle.r.diagonal().array() >= 0.0).all());
}

void fewer_rows_than_columns_are_allowed() {
    const Array a = random_array(7, 40, 5);
    const Matrix expected = as_matrix(a.view()).transpose() * as_matrix(a.view());
    CHECK((square_of(triangularize({a.view()}, 1), 40) - expected).norm() < 1e-13 * expected.norm());
}

void columns_of_the_first_group_come_first() {
    const Array a = random_array(40, 9, 3);
    const Triangle triangle = triangularize({a.view()}, {5, 0, 3}, {1, 8}, 1);
    std::vector<Index> first(triangle.columns.begin(), triangle.columns.begin() + 3);
    std::vector<Index> last(triangle.columns.begin() + 3, triangle.columns.end());
    std::sort(first.begin(), first.end());
    std::sort(last.begin(), last.end());
    CHECK((first == std::vector<Index>{0, 3, 5}));
    CHECK((last == std::vector<Index>{1, 8}));
    for (Index i = 0; i < 5; ++i) {
        for (Index j = 0; j < 5; ++j) {
            const auto left = as_matrix(a.view()).col(triangle.columns[static_cast<std::size_t>(i)]);
            const auto right = as_matrix(a.view()).col(triangle.columns[static_cast<std::size_t>(j)]);
            CHECK(std::abs(triangle.r.col(i).dot(triangle.r.col(j)) - left.dot(right)) < 1e-12);
        }
    }
}

void pivots_do_not_grow() {
    // Columns over ten orders of magnitude, in ascending order, some of them nearly dependent.
    Array a = random_array(300, 150, 6);
    for (Index i = 0; i < a.rows; ++i) {
        for (Index j = 0; j < a.cols; ++j) a(i, j) *= std::pow(10.0, static_cast<double>(j) / 15.0);
        for (Index j = 3; j < a.cols; j += 3) a(i, j) = a(i, j - 1) * 2.0 + 1e-9 * a(i, j);
    }
    const RowMatrix r = triangularize({a.view()}, 2).r;
    for (Index i = 1; i < 150; ++i) CHECK(r(i, i) <= 2.0 * r(i - 1, i - 1));
}

void light_rows_keep_their_digits_beside_heavy_ones_of_any_shape() {
    // A row of large weight that is zero in the first column: without column pivoting, the other rows lose all digits.
    const double w = 1e16;
    Array rows(3, 3);
    rows.values = {0.0, w, 2.0 * w, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0};
    const Triangle triangle = triangularize({rows.view()}, 1);
    CHECK_CLOSE(triangle.r.diagonal().prod(), 3.0 * w, 1e-14);  // the determinant
    // Pivots by hand: the third column; then the first, (1, 1) in the rows of small weight; then the second, (1, -1/2)
    // orthogonal to it.
    CHECK_CLOSE(triangle.r(1, 1), std::sqrt(2.0), 1e-14);
    CHECK_CLOSE(triangle.r(2, 2), std::sqrt(1.125), 1e-14);
}

void the_bits_do_not_depend_on_the_number_of_threads() {
    const Array a = random_array(1500, 333, 4);
    const Triangle one = triangularize({a.view()}, 1);
    for (const int n_threads : {2, 3, 8}) {
        const Triangle other = triangularize({a.view()}, n_threads);
        CHECK(one.r == other.r && one.columns == other.columns);
    }
}

void extreme_units_lose_nothing() {
    const Array a = random_array(20, 6, 7);
    const RowMatrix r = triangularize({a.view()}, 1).r;
    for (const double unit : {std::exp2(-1000.0), std::exp2(450.0)}) {
        Array scaled = a;
        for (double& value : scaled.values) value *= unit;
        CHECK(triangularize({scaled.view()}, 1).r == unit * r);
    }
}

void squares_of_targets_are_those_in_reach_and_the_rest() {
    for (const Index n_rows : {4, 31, 400}) {
        const Array a = random_array(n_rows, 30 + 3, 8);
        const Triangle triangle = triangularize({a.view()}, 2, 3);
        const auto targets = as_matrix(a.view()).rightCols(3);
        const Matrix expected = targets.transpose() * targets;
        const Matrix found =
            triangle.targets.transpose() * triangle.targets + triangle.rest.transpose() * triangle.rest;
        CHECK((found - expected).norm() < 1e-13 * expected.norm());
        CHECK(triangle.rest.triangularView<Eigen::StrictlyLower>().toDenseMatrix().isZero(0.0));
        CHECK((triangle.rest.diagonal().array() >= 0.0).all());
    }
}

void the_rest_is_what_least_squares_leaves() {
    const Array a = random_array(90, 12 + 1, 9);
    const auto rows = as_matrix(a.view()).leftCols(12);
    const Vector target = as_matrix(a.view()).col(12);
    const Vector solution = Matrix(rows).colPivHouseholderQr().solve(target);
    CHECK_CLOSE(triangularize({a.view()}, 1, 1).rest(0, 0), (target - rows * solution).norm(), 1e-13);
}

void targets_far_larger_than_rows_have_a_rest() {
    Array a = random_array(20, 3 + 1, 10);
    const double expected = triangularize({a.view()}, 1, 1).rest(0, 0);
    for (Index i = 0; i < a.rows; ++i) a(i, 3) *= std::exp2(460.0);
    for (Index i = 0; i < a.rows; ++i) {
        for (Index j = 0; j < 3; ++j) a(i, j) *= std::exp2(-300.0);
    }
    CHECK(triangularize({a.view()}, 1, 1).rest(0, 0) == std::exp2(460.0) * expected);
}

void rows_of_zeros_give_a_factor_of_zeros() {
    const Array zeros(5, 3);
    CHECK(triangularize({zeros.view()}, 1).r.isZero(0.0));
}

const Tests tests("triangularize", [] {
    run("Hadamard rows give a diagonal factor", hadamard_rows_give_a_diagonal_factor);
    run("the square is that of the rows", the_square_is_that_of_the_rows);
    run("fewer rows than columns are allowed", fewer_rows_than_columns_are_allowed);
    run("columns of the first group come first", columns_of_the_first_group_come_first);
    run("pivots do not grow", pivots_do_not_grow);
    run("light rows keep their digits beside heavy ones of any shape",
        light_rows_keep_their_digits_beside_heavy_ones_of_any_shape);
    run("the bits do not depend on the number of threads", the_bits_do_not_depend_on_the_number_of_threads);
    run("extreme units lose nothing", extreme_units_lose_nothing);
    run("squares of targets are those in reach and the rest", squares_of_targets_are_those_in_reach_and_the_rest);
    run("the rest is what least squares leaves", the_rest_is_what_least_squares_leaves);
    run("targets far larger than rows have a rest", targets_far_larger_than_rows_have_a_rest);
    run("rows of zeros give a factor of zeros", rows_of_zeros_give_a_factor_of_zeros);
});

}  // namespace
}  // namespace test_triangularize
