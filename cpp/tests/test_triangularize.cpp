#include "triangularize.hpp"

#include <cmath>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace {

void hadamard_rows_of_any_scale_give_a_diagonal_factor() {
    // Orthogonal columns: R is sqrt(sum of squares) on the diagonal and zero elsewhere. Size 1024 crosses all panels.
    const Index size = 1024;
    const Array rows = hadamard(size);
    const RowMatrix triangle = triangularize({rows.view(), rows.view()}, 2);
    const double expected = std::sqrt(2.0 * static_cast<double>(size));
    double off_diagonal = 0.0;
    for (Index i = 0; i < size; ++i) {
        CHECK_CLOSE(triangle(i, i), expected, 1e-13);
        for (Index j = 0; j < i; ++j) CHECK(triangle(i, j) == 0.0);
        for (Index j = i + 1; j < size; ++j) off_diagonal = std::max(off_diagonal, std::abs(triangle(i, j)));
    }
    CHECK(off_diagonal < 1e-12 * expected);
}

void the_square_is_that_of_the_rows() {
    const Array a = random_array(300, 70, 1);
    const Array b = random_array(50, 70, 2);
    const RowMatrix triangle = triangularize({a.view(), b.view()}, 2);
    const RowMatrix expected =
        as_matrix(a.view()).transpose() * as_matrix(a.view()) + as_matrix(b.view()).transpose() * as_matrix(b.view());
    CHECK((triangle.transpose() * triangle - expected).norm() < 1e-13 * expected.norm());
    CHECK((triangle.diagonal().array() >= 0.0).all());
}

void chosen_columns_come_in_the_order_given() {
    const Array a = random_array(40, 6, 3);
    const std::vector<Index> columns{5, 0, 3};
    const RowMatrix triangle = triangularize({a.view()}, columns, 1);
    for (Index i = 0; i < 3; ++i) {
        for (Index j = 0; j < 3; ++j) {
            const auto left = as_matrix(a.view()).col(columns[static_cast<std::size_t>(i)]);
            const auto right = as_matrix(a.view()).col(columns[static_cast<std::size_t>(j)]);
            CHECK(std::abs(triangle.col(i).dot(triangle.col(j)) - left.dot(right)) < 1e-12);
        }
    }
}

void small_rows_keep_their_digits_beside_large_ones() {
    // Rows (1, x) and s (1, -1) for tiny s: the second diagonal element is s |1 + x| / sqrt(1 + s^2) exactly.
    const double s = 1e-12;
    Array rows(2, 2);
    rows(0, 0) = s;
    rows(0, 1) = -s;
    rows(1, 0) = 1.0;
    rows(1, 1) = 0.375;
    const RowMatrix triangle = triangularize({rows.view()}, 1);
    CHECK_CLOSE(triangle(1, 1), s * 1.375, 1e-14);
}

void the_bits_do_not_depend_on_the_number_of_threads() {
    const Array a = random_array(1500, 333, 4);
    const RowMatrix one = triangularize({a.view()}, 1);
    for (const int n_threads : {2, 3, 8}) CHECK(one == triangularize({a.view()}, n_threads));
}

void rows_of_zeros_give_a_factor_of_zeros() {
    const Array zeros(5, 3);
    CHECK(triangularize({zeros.view()}, 1).isZero(0.0));
}

}  // namespace

int main() {
    run("Hadamard rows of any scale give a diagonal factor", hadamard_rows_of_any_scale_give_a_diagonal_factor);
    run("the square is that of the rows", the_square_is_that_of_the_rows);
    run("chosen columns come in the order given", chosen_columns_come_in_the_order_given);
    run("small rows keep their digits beside large ones", small_rows_keep_their_digits_beside_large_ones);
    run("the bits do not depend on the number of threads", the_bits_do_not_depend_on_the_number_of_threads);
    run("rows of zeros give a factor of zeros", rows_of_zeros_give_a_factor_of_zeros);
    return failures == 0 ? 0 : 1;
}
