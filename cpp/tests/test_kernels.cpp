#include "lpr_fast/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_kernels {
namespace {

Array kernels(const Array& x, const Array& active, double zeta, int n_threads = 0) {
    Array out(x.rows, active.rows);
    kernel_rows(x.view(), active.view(), zeta, {out.values.data(), out.rows, out.cols}, n_threads);
    return out;
}

void kernels_are_powers_of_scalar_products() {
    const Array x = positive_rows(130, 37, 1);
    const Array active = positive_rows(21, 37, 2);
    for (const double zeta : {1.0, 2.0, 3.0, 4.0, 7.0, 64.0, 65.0, 0.5, 2.5}) {
        const Array k = kernels(x, active, zeta);
        for (Index i = 0; i < x.rows; i += 43) {
            for (Index m = 0; m < active.rows; ++m) {
                long double product = 0.0L;
                for (Index j = 0; j < x.cols; ++j) product += static_cast<long double>(x(i, j)) * active(m, j);
                CHECK_CLOSE(k(i, m), std::pow(product, static_cast<long double>(zeta)), 1e-15 * (8.0 + 4.0 * zeta));
            }
        }
    }
}

void a_row_has_the_same_bits_alone_and_among_others() {
    for (const Index n_features : {1, 2, 63, 252}) {
        for (const Index n_active : {1, 2, 5, 130}) {
            const Array x = positive_rows(200, n_features, 3);
            const Array active = positive_rows(n_active, n_features, 4);
            const Array together = kernels(x, active, 2.5, 2);
            CHECK(together.values == kernels(x, active, 2.5, 1).values);
            for (const Index i : {0, 1, 63, 64, 127, 199}) {
                Array alone(1, n_features);
                std::copy_n(x.values.data() + i * n_features, n_features, alone.values.data());
                const Array k = kernels(alone, active, 2.5);
                CHECK(std::equal(k.values.begin(), k.values.end(), together.values.data() + i * n_active));
            }
        }
    }
}

void negative_products_have_integer_powers_alone() {
    Array x(2, 2);
    x.values = {1.0, 0.0, -1.0, 0.0};
    CHECK(kernels(x, x, 3.0)(0, 1) == -1.0);
    CHECK(kernels(x, x, 101.0)(0, 1) == -1.0);
    CHECK_THROWS(InvalidInput, "has no real power 2.5", kernels(x, x, 2.5));
    x.values = {1.0, -1e-17, 0.0, 1.0};
    CHECK(kernels(x, x, 2.5)(0, 1) == 0.0);
}

void unusable_kernels_are_refused() {
    Array x = positive_rows(3, 4, 5);
    CHECK_THROWS(InvalidInput, "zeta is", kernels(x, x, 0.0));
    CHECK_THROWS(InvalidInput, "zeta is", kernels(x, x, std::nan("")));
    CHECK_THROWS(
        InvalidInput, "features have 4 columns, but the active set has 5", kernels(x, positive_rows(3, 5, 6), 1.0)
    );
    CHECK_THROWS(InvalidInput, "model size M is 0", kernels(x, Array(0, 4), 1.0));
    x(1, 2) = std::numeric_limits<double>::infinity();
    CHECK_THROWS(InvalidInput, "features row 1 holds", kernels(x, positive_rows(3, 4, 6), 1.0));
    CHECK_THROWS(InvalidInput, "the active set: row 1 holds", kernels(positive_rows(3, 4, 6), x, 1.0));
    CHECK(kernels(Array(0, 4), positive_rows(3, 4, 6), 1.0).values.empty());
}

void normalised_rows_have_norm_one_and_their_own_bits() {
    Array x = positive_rows(600, 37, 9);
    for (Index k = 0; k < x.cols; ++k) x(5, k) = 0.0;
    Array found(x.rows, x.cols);
    normalised_rows(x.view(), {found.values.data(), x.rows, x.cols}, 2);
    for (Index i = 0; i < x.rows; ++i) {
        long double square = 0.0L;
        for (Index k = 0; k < x.cols; ++k) square += static_cast<long double>(found(i, k)) * found(i, k);
        CHECK(std::abs(static_cast<double>(square) - (i == 5 ? 0.0 : 1.0)) <= 1e-15);
        Array alone(1, x.cols);
        normalised_rows(x.rows_from(i, 1), {alone.values.data(), 1, x.cols}, 1);
        CHECK(std::equal(alone.values.begin(), alone.values.end(), &found(i, 0)));
    }
    x(3, 1) = std::nan("");
    CHECK_THROWS(
        InvalidInput, "features row 3 holds NaN", normalised_rows(x.view(), {found.values.data(), x.rows, x.cols})
    );
    CHECK_THROWS(InvalidInput, "out has shape (3, 37)", normalised_rows(x.view(), {found.values.data(), 3, 37}));
}

void farthest_points_on_a_line_are_known() {
    Array x(6, 1);
    x.values = {0.0, 1.0, 10.0, 4.0, 10.0, 10.0 + 1e-9};
    CHECK((farthest_points(x.view(), 3, 0, 0.0) == std::vector<Index>{0, 5, 3}));
    CHECK((farthest_points(x.view(), 6, 0, 1e-8) == std::vector<Index>{0, 5, 3, 1}));
    CHECK((farthest_points(x.view(), 6, 2, 0.0) == std::vector<Index>{2, 0, 3, 1, 5}));
}

void farthest_points_are_those_of_the_definition() {
    const Array x = random_array(1500, 19, 7);
    const std::vector<Index> chosen = farthest_points(x.view(), 40, 3, 0.0, 2);
    CHECK(chosen == farthest_points(x.view(), 40, 3, 0.0, 1));
    const auto distance = [&](Index a, Index b) {
        long double sum = 0.0L;
        for (Index j = 0; j < x.cols; ++j) {
            const long double difference = static_cast<long double>(x(a, j)) - x(b, j);
            sum += difference * difference;
        }
        return sum;
    };
    for (std::size_t n = 1; n < chosen.size(); ++n) {
        Index farthest = 0;
        long double largest = -1.0L;
        for (Index i = 0; i < x.rows; ++i) {
            long double nearest = std::numeric_limits<long double>::infinity();
            for (std::size_t m = 0; m < n; ++m) nearest = std::min(nearest, distance(i, chosen[m]));
            if (nearest > largest) {
                largest = nearest;
                farthest = i;
            }
        }
        CHECK(chosen[n] == farthest);
    }
}

void unusable_points_are_refused() {
    Array x = random_array(3, 2, 8);
    CHECK_THROWS(InvalidInput, "of 3 points, beginning with number 3", farthest_points(x.view(), 1, 3, 0.0));
    CHECK_THROWS(InvalidInput, "cannot choose 0 of 3 points", farthest_points(x.view(), 0, 0, 0.0));
    x(2, 0) = std::nan("");
    CHECK_THROWS(InvalidInput, "points: row 2", farthest_points(x.view(), 1, 0, 0.0));
}

const Tests tests("kernels", [] {
    run("kernels are powers of scalar products", kernels_are_powers_of_scalar_products);
    run("a row has the same bits alone and among others", a_row_has_the_same_bits_alone_and_among_others);
    run("negative products have integer powers alone", negative_products_have_integer_powers_alone);
    run("unusable kernels are refused", unusable_kernels_are_refused);
    run("normalised rows have norm one and their own bits", normalised_rows_have_norm_one_and_their_own_bits);
    run("farthest points on a line are known", farthest_points_on_a_line_are_known);
    run("farthest points are those of the definition", farthest_points_are_those_of_the_definition);
    run("unusable points are refused", unusable_points_are_refused);
});

}  // namespace
}  // namespace test_kernels
