#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_whitened {
namespace {

constexpr Index size = 37;

const HessianFactor& plain() {
    static const HessianFactor factor = factorize(accumulated(random_array(200, size, 1)), 1e-2);
    return factor;
}

const HessianFactor& holding_two() {
    static const HessianFactor factor = plain().holding(random_array(2, size, 2).view());
    return factor;
}

Array whitened(const HessianFactor& factor, ConstMatrixView phi, int n_threads = 1) {
    Array out(phi.rows, static_cast<Index>(factor.columns().size()));
    factor.whitened(phi, {out.values.data(), out.rows, out.cols}, n_threads);
    return out;
}

Array whitened_held(const HessianFactor& factor, ConstMatrixView phi, int n_threads = 1) {
    Array out(phi.rows, static_cast<Index>(factor.columns().size()));
    factor.whitened_held(phi, {out.values.data(), out.rows, out.cols}, n_threads);
    return out;
}

double product(const Array& a, Index i, const Array& b, Index j) {
    long double sum = 0.0L;
    for (Index k = 0; k < a.cols; ++k) sum += static_cast<long double>(a(i, k)) * b(j, k);
    return static_cast<double>(sum);
}

Array moments_of(
    const HessianFactor& factor, const Array& phi, const std::vector<double>& weights, Index batch, int n_threads,
    Freedom freedom = Freedom::whole
) {
    SecondMoments moments(factor, freedom);
    for (Index first = 0; first < phi.rows; first += batch) {
        const Index count = std::min(batch, phi.rows - first);
        moments.add(phi.rows_from(first, count), ConstVectorView{weights.data() + first, count}, n_threads);
    }
    CHECK(moments.n_rows() == phi.rows);
    Array out(moments.size(), moments.size());
    moments.sum({out.values.data(), out.rows, out.cols}, n_threads);
    return out;
}

std::vector<double> some_weights(Index count) {
    std::vector<double> weights(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<double>(i % 5) * 0.75;
    return weights;
}

void whitened_rows_solve_the_triangle() {
    const Array phi = random_array(70, size, 3);
    const Array z = whitened(plain(), phi.view());
    const ConstMatrixView triangle = plain().triangle();
    for (Index i = 0; i < phi.rows; ++i) {
        for (Index j = 0; j < size; ++j) {
            long double sum = 0.0L;
            for (Index k = 0; k <= j; ++k) sum += static_cast<long double>(triangle.row(k)[j]) * z(i, k);
            const double entry = phi(i, plain().columns()[static_cast<std::size_t>(j)]);
            CHECK(std::abs(static_cast<double>(sum) - entry) < 1e-13);
        }
    }
}

void held_products_are_schur_complements() {
    const Array rows = random_array(1, size, 2);
    const HessianFactor factor = plain().holding(rows.view());
    const Array phi = random_array(30, size, 4);
    const Array z = whitened_held(factor, phi.view());
    const Array open = whitened(plain(), phi.view());
    const Array held = whitened(plain(), rows.view());
    for (Index i = 0; i < phi.rows; ++i) {
        for (Index j = 0; j < phi.rows; ++j) {
            const double cross = product(open, i, held, 0) * product(open, j, held, 0) / product(held, 0, held, 0);
            CHECK(std::abs(product(z, i, z, j) - (product(open, i, open, j) - cross)) < 1e-12);
        }
    }
}

void the_bits_do_not_depend_on_batches_or_threads() {
    const Array phi = random_array(331, size, 5);
    const Array expected = whitened(plain(), phi.view());
    const Array expected_held = whitened_held(holding_two(), phi.view());
    for (const int n_threads : {1, 3}) {
        for (const Index batch : {1, 7, 64, 331}) {
            Array z(331, size);
            Array held(331, size);
            for (Index first = 0; first < 331; first += batch) {
                const Index count = std::min<Index>(batch, 331 - first);
                const ConstMatrixView rows = phi.rows_from(first, count);
                plain().whitened(rows, {&z(first, 0), count, size}, n_threads);
                holding_two().whitened_held(rows, {&held(first, 0), count, size}, n_threads);
            }
            CHECK(z.values == expected.values);
            CHECK(held.values == expected_held.values);
        }
    }
}

void held_rows_and_zeros_become_zeros() {
    const Array rows = random_array(2, size, 2);
    const Array z = whitened_held(holding_two(), rows.view());
    CHECK(z.values == std::vector<double>(static_cast<std::size_t>(2 * size), 0.0));
    CHECK(whitened(plain(), Array(1, size).view()).values == std::vector<double>(size, 0.0));
    CHECK(whitened(plain(), Array(0, size).view()).values.empty());
}

void entries_are_right_where_squares_leave_the_range() {
    Array triangle(2, 2);
    triangle.values = {0x1p-500 * 2.0, 0x1p-500, 0.0, 0x1p-500 * 4.0};
    const HessianFactor factor = HessianFactor::from_triangle(2, {0, 1}, triangle.view(), 1.0, 0.0);
    Array phi(1, 2);
    phi.values = {2.0, 5.0};
    CHECK((whitened(factor, phi.view()).values == std::vector<double>{0x1p500, 0x1p500}));
    const HessianFactor holding = factor.holding(phi.view());
    CHECK((whitened_held(holding, phi.view()).values == std::vector<double>{0.0, 0.0}));
}

void moments_are_the_sum_of_products() {
    const Array phi = random_array(2100, size, 6);  // more than two chunks
    const auto weights = some_weights(phi.rows);
    for (const Freedom freedom : {Freedom::whole, Freedom::held}) {
        const Array z =
            freedom == Freedom::held ? whitened_held(holding_two(), phi.view()) : whitened(holding_two(), phi.view());
        const Array found = moments_of(holding_two(), phi, weights, 2100, 1, freedom);
        for (Index i = 0; i < size; ++i) {
            for (Index j = 0; j < size; ++j) {
                long double sum = 0.0L;
                long double sizes = 0.0L;
                for (Index a = 0; a < phi.rows; ++a) {
                    const long double term =
                        static_cast<long double>(z(a, i)) * z(a, j) * weights[static_cast<std::size_t>(a)];
                    sum += term;
                    sizes += std::abs(term);
                }
                CHECK(std::abs(found(i, j) - static_cast<double>(sum)) <= 1e-14 * static_cast<double>(sizes));
                CHECK(found(i, j) == found(j, i));
            }
        }
    }
}

void bits_of_moments_do_not_depend_on_batches_or_threads() {
    const Array phi = random_array(2100, size, 7);
    const auto weights = some_weights(phi.rows);
    const Array expected = moments_of(plain(), phi, weights, 2100, 1);
    for (const Index batch : {1, 333, 960, 961}) {
        CHECK(moments_of(plain(), phi, weights, batch, 2).values == expected.values);
    }
}

void what_cannot_be_whitened_is_refused() {
    Array phi = random_array(3, size, 8);
    Array out(3, size);
    const MatrixView target{out.values.data(), 3, size};
    CHECK_THROWS(InvalidInput, "nothing is held", plain().whitened_held(phi.view(), target));
    CHECK_THROWS(InvalidInput, "nothing is held", SecondMoments(plain(), Freedom::held));
    CHECK_THROWS(InvalidInput, "restricted", SecondMoments(holding_two().restrict_to({1, 2, 3}), Freedom::held));
    CHECK_THROWS(InvalidInput, "out has shape", plain().whitened(phi.view(), {out.values.data(), 2, size}));
    SecondMoments moments(plain());
    std::vector<double> weights{1.0, -1.0, 1.0};
    CHECK_THROWS(InvalidInput, "the weight of row 1", moments.add(phi.view(), view_of(weights)));
    phi(2, 0) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS(InvalidInput, "row 2", moments.add(phi.view()));
    CHECK_THROWS(InvalidInput, "phi row 2 holds NaN", plain().whitened(phi.view(), target));
    CHECK(moments.n_rows() == 0);
}

const Tests tests("whitened", [] {
    run("whitened rows solve the triangle", whitened_rows_solve_the_triangle);
    run("held products are Schur complements", held_products_are_schur_complements);
    run("the bits do not depend on batches or threads", the_bits_do_not_depend_on_batches_or_threads);
    run("held rows and zeros become zeros", held_rows_and_zeros_become_zeros);
    run("entries are right where squares leave the range", entries_are_right_where_squares_leave_the_range);
    run("moments are the sum of products", moments_are_the_sum_of_products);
    run("bits of moments do not depend on batches or threads", bits_of_moments_do_not_depend_on_batches_or_threads);
    run("what cannot be whitened is refused", what_cannot_be_whitened_is_refused);
});

}  // namespace
}  // namespace test_whitened
