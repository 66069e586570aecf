#include "linear_algebra/singular_values.hpp"

#include <cmath>

#include "check.hpp"
#include "linear_algebra/triangularize.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_singular_values {
namespace {

RowMatrix matrix_of(const Array& array) {
    return as_matrix(array.view());
}

Vector vector_of(Index size, unsigned seed) {
    return as_matrix(random_array(size, 1, seed).view());
}

void products_give_the_matrix_back() {
    for (const Index size : {1, 2, 7, 40, 97}) {
        const RowMatrix r = matrix_of(random_array(size, size, 1));
        const Vector q = vector_of(size, 2);
        const SingularValues found = singular_values(r, q);
        const Matrix square = r.transpose() * r;
        const Matrix again = found.directions * found.values.cwiseAbs2().asDiagonal() * found.directions.transpose();
        CHECK((again - square).norm() < 1e-13 * square.norm());
        CHECK((found.directions.transpose() * found.directions - Matrix::Identity(size, size)).norm() < 1e-12);
        // R^T q = V S (P^T q), and P is orthogonal.
        const Vector product = r.transpose() * q;
        const Vector rotated = found.directions * found.values.cwiseProduct(found.rotated);
        CHECK((rotated - product).norm() < 1e-13 * product.norm());
        CHECK_CLOSE(found.rotated.norm(), q.norm(), 1e-14);
        for (Index k = 1; k < size; ++k) CHECK(found.values(k) <= found.values(k - 1));
    }
}

void errors_are_rounding_of_the_largest() {
    // Orthogonal columns over 14 orders of magnitude: their norms are the singular values.
    const Index size = 15;
    const Array signs = hadamard(16);
    Array scaled(16, size);
    for (Index i = 0; i < 16; ++i) {
        for (Index j = 0; j < size; ++j) scaled(i, j) = signs(i, j) * std::pow(10.0, -static_cast<double>(j));
    }
    const Triangle triangle = triangularize({scaled.view()}, 1);
    const SingularValues found = singular_values(triangle.r, Vector::Zero(size));
    for (Index k = 0; k < size; ++k) {
        CHECK(std::abs(found.values(k) - 4.0 * std::pow(10.0, -static_cast<double>(k))) < 8.0 * epsilon);
    }
    CHECK((found.directions.transpose() * found.directions - Matrix::Identity(size, size)).norm() < 1e-2);
    const Matrix leading = found.directions.leftCols(7);
    CHECK((leading.transpose() * leading - Matrix::Identity(7, 7)).norm() < 1e-13);
}

void missing_rank_leaves_zeros() {
    Array array = random_array(9, 9, 4);
    for (Index j = 0; j < 9; ++j) array(8, j) = array(3, j) = 0.0;
    const SingularValues found = singular_values(matrix_of(array), vector_of(9, 5));
    CHECK(found.values(6) > 1e-3 && found.values(7) < 1e-14 && found.values(8) < 1e-14);
    CHECK(singular_values(RowMatrix::Zero(3, 3), Vector::Ones(3)).values.isZero(0.0));
}

void extreme_units_lose_nothing() {
    const RowMatrix r = matrix_of(random_array(12, 12, 6));
    const Vector expected = singular_values(r, Vector::Zero(12)).values;
    for (const double unit : {std::exp2(-900.0), std::exp2(450.0)}) {
        CHECK(singular_values(unit * r, Vector::Zero(12)).values == unit * expected);
    }
}

const Tests tests("singular_values", [] {
    run("products give the matrix back", products_give_the_matrix_back);
    run("errors are rounding of the largest", errors_are_rounding_of_the_largest);
    run("missing rank leaves zeros", missing_rank_leaves_zeros);
    run("extreme units lose nothing", extreme_units_lose_nothing);
});

}  // namespace
}  // namespace test_singular_values
