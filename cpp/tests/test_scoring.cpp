#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_scoring {
namespace {

const HessianFactor& model(Index size) {
    static const HessianFactor small = factorize(accumulated(random_array(400, 37, 1)), 1e-3);
    static const HessianFactor large = factorize(accumulated(random_array(1200, 1000, 2)), 1e-3);
    return size == 37 ? small : large;
}

void the_bits_do_not_depend_on_batches_or_threads() {
    for (const Index size : {37, 1000}) {
        const HessianFactor& factor = model(size);
        const Index n_rows = size == 37 ? 331 : 131;
        const Array phi = random_array(n_rows, size, 3);
        const auto expected = forms_of(factor, phi.view(), 1);
        for (const int n_threads : {1, 2, 5}) {
            for (const Index batch : {1, 7, 64, 331}) {
                std::vector<double> forms(static_cast<std::size_t>(n_rows));
                for (Index first = 0; first < n_rows; first += batch) {
                    const Index count = std::min(batch, n_rows - first);
                    factor.quadratic_forms(phi.rows_from(first, count), {forms.data() + first, count}, n_threads);
                }
                CHECK(forms == expected);
            }
        }
    }
}

void covariance_is_the_inner_product_and_its_bits_stay() {
    const HessianFactor& factor = model(37);
    const Array a = random_array(70, 37, 4);
    const Array b = random_array(1100, 37, 5);  // more than one part
    std::vector<double> whole(70 * 1100);
    factor.covariance(a.view(), b.view(), 1.0, {whole.data(), 70, 1100}, 2);
    for (const Index i : {0, 63, 64, 69}) {
        for (const Index j : {0, 64, 1023, 1024, 1099}) {
            double single = 0.0;
            factor.covariance(a.rows_from(i, 1), b.rows_from(j, 1), 1.0, {&single, 1, 1}, 1);
            CHECK(single == whole[static_cast<std::size_t>(i * 1100 + j)]);
        }
    }
    // Polarisation: 4 a H^-1 b = form(a + b) - form(a - b).
    Array sums(2, 37);
    for (Index k = 0; k < 37; ++k) {
        sums(0, k) = a(3, k) + b(5, k);
        sums(1, k) = a(3, k) - b(5, k);
    }
    const auto forms = forms_of(factor, sums.view());
    CHECK(std::abs(4.0 * whole[3 * 1100 + 5] - (forms[0] - forms[1])) < 1e-12 * (forms[0] + forms[1]));
}

HessianFactor factor_of(const Array& triangle) {
    std::vector<Index> columns(static_cast<std::size_t>(triangle.cols));
    std::iota(columns.begin(), columns.end(), Index{0});
    return HessianFactor::from_triangle(triangle.cols, columns, triangle.view(), 1.0, 0.0);
}

void an_inverse_that_overflows_is_not_needed() {
    constexpr Index size = 60;
    Array triangle(size, size);
    for (Index i = 0; i < size; ++i) {
        triangle(i, i) = 1.0;
        if (i + 1 < size) triangle(i, i + 1) = 1e6;
    }
    Array last(1, size);
    last(0, size - 1) = 1.0;
    CHECK(forms_of(factor_of(triangle), last.view()) == std::vector<double>{1.0});
}

void scores_are_right_where_forms_leave_the_range() {
    for (const int exponent : {-500, 450}) {
        Array triangle(2, 2);
        triangle.values = {std::ldexp(2.0, exponent), std::ldexp(1.0, exponent), 0.0, std::ldexp(4.0, exponent)};
        const HessianFactor factor = factor_of(triangle);
        Array phi(3, 2);
        phi.values = {
            2.0, 5.0, 0.0, 0.0, std::ldexp(2.0, exponent), std::ldexp(5.0, exponent)
        };  // R^-T (2, 5) = (1, 1)
        std::vector<double> lpr(3);
        std::vector<double> variance(3);
        factor.score(phi.view(), {{lpr.data(), 3}, {variance.data(), 3}, {}, std::ldexp(1.0, 2 * exponent)}, 1);
        const double infinity = std::numeric_limits<double>::infinity();
        CHECK((lpr == std::vector<double>{std::ldexp(0.5, 2 * exponent), infinity, 0.5}));
        CHECK((variance == std::vector<double>{2.0, 0.0, std::ldexp(2.0, 2 * exponent)}));
        std::vector<double> covariance(9);
        factor.covariance(phi.view(), phi.view(), std::ldexp(1.0, exponent), {covariance.data(), 3, 3}, 1);
        CHECK(covariance[0] == std::ldexp(2.0, -exponent));
        CHECK(covariance[1] == 0.0);
        CHECK(covariance[2] == 2.0);
    }
    const Array phi = random_array(2, 37, 9);
    std::vector<double> out(4);
    for (const double scale : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
        CHECK_THROWS(
            InvalidInput, "the scale of variances is", model(37).score(phi.view(), {{}, {out.data(), 2}, {}, scale}, 1)
        );
        CHECK_THROWS(
            InvalidInput, "the scale of variances is",
            model(37).covariance(phi.view(), phi.view(), scale, {out.data(), 2, 2}, 1)
        );
    }
    CHECK_THROWS(InvalidInput, "lpr has shape (1, 1)", model(37).score(phi.view(), {{out.data(), 1}, {}}, 1));
}

void eight_threads_share_one_factor() {
    const HessianFactor& factor = model(1000);
    const Array phi = random_array(200, 1000, 6);
    const auto expected = forms_of(factor, phi.view(), 1);
    std::vector<std::vector<double>> results(8);
    std::vector<std::thread> threads;
    for (auto& result : results) {
        threads.emplace_back([&] { result = forms_of(factor, phi.view(), 2); });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& result : results) CHECK(result == expected);
}

void the_first_bad_row_is_named() {
    const HessianFactor& factor = model(37);
    Array phi = random_array(500, 37, 7);
    phi(431, 5) = std::numeric_limits<double>::infinity();
    phi(170, 36) = std::nan("");
    for (int repeat = 0; repeat < 20; ++repeat) {
        CHECK_THROWS(InvalidInput, "phi row 170 holds NaN", forms_of(factor, phi.view(), 2));
    }
    std::vector<double> short_output(499);
    CHECK_THROWS(
        InvalidInput, "out has shape (1, 499), expected (1, 500)",
        factor.quadratic_forms(phi.view(), {short_output.data(), 499}, 1)
    );
    CHECK_THROWS(InvalidInput, "36 columns, expected 37", forms_of(factor, random_array(2, 36, 8).view()));
}

void zero_rows_and_no_rows_are_fine() {
    const HessianFactor& factor = model(37);
    const Array zeros(3, 37);
    CHECK((forms_of(factor, zeros.view()) == std::vector<double>{0.0, 0.0, 0.0}));
    CHECK(forms_of(factor, Array(0, 37).view()).empty());
}

void strided_rows_are_read_where_they_are() {
    const Array wide = random_array(5, 50, 9);
    Array narrow(5, 37);
    for (Index i = 0; i < 5; ++i) {
        for (Index j = 0; j < 37; ++j) narrow(i, j) = wide(i, j);
    }
    CHECK(forms_of(model(37), {wide.values.data(), 5, 37, 50}) == forms_of(model(37), narrow.view()));
}

const Tests tests("scoring", [] {
    run("the bits do not depend on batches or threads", the_bits_do_not_depend_on_batches_or_threads);
    run("covariance is the inner product and its bits stay", covariance_is_the_inner_product_and_its_bits_stay);
    run("an inverse that overflows is not needed", an_inverse_that_overflows_is_not_needed);
    run("scores are right where forms leave the range", scores_are_right_where_forms_leave_the_range);
    run("eight threads share one factor", eight_threads_share_one_factor);
    run("the first bad row is named", the_first_bad_row_is_named);
    run("zero rows and no rows are fine", zero_rows_and_no_rows_are_fine);
    run("strided rows are read where they are", strided_rows_are_read_where_they_are);
});

}  // namespace
}  // namespace test_scoring
