#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_held {
namespace {

constexpr Index size = 37;

const HessianFactor& plain() {
    static const HessianFactor factor = factorize(accumulated(random_array(200, size, 1)), 1e-2);
    return factor;
}

std::vector<double> held_of(const HessianFactor& factor, ConstMatrixView phi, int n_threads = 1) {
    std::vector<double> out(static_cast<std::size_t>(phi.rows));
    FormScores scores;
    scores.lpr_held = {out.data(), phi.rows};
    factor.score(phi, scores, n_threads);
    return out;
}

double product(const HessianFactor& factor, ConstMatrixView a, ConstMatrixView b) {
    double value = 0.0;
    factor.covariance(a, b, 1.0, {&value, 1, 1}, 1);
    return value;
}

/// f_held = f - c^2 / s for one held row b, with c = b^T H^-1 phi and s = b^T H^-1 b.
double schur(const HessianFactor& factor, ConstMatrixView phi, ConstMatrixView row) {
    const double cross = product(factor, phi, row);
    return product(factor, phi, phi) - cross * cross / product(factor, row, row);
}

void one_held_row_leaves_the_schur_complement() {
    const Array rows = random_array(1, size, 2);
    const Array phi = random_array(60, size, 3);
    const auto found = held_of(plain().holding(rows.view()), phi.view());
    for (Index i = 0; i < phi.rows; ++i) {
        const double expected = 1.0 / schur(plain(), phi.rows_from(i, 1), rows.view());
        CHECK(std::abs(found[static_cast<std::size_t>(i)] / expected - 1.0) < 1e-12);
    }
}

void restricted_factors_hold_what_the_whole_holds() {
    const Array rows = random_array(3, size, 4);
    const HessianFactor whole = plain().holding(rows.view());
    std::vector<Index> columns;
    for (Index j = size - 1; j >= 0; j -= 2) columns.push_back(j);
    const HessianFactor some = whole.restrict_to(columns);
    const Array phi = random_array(25, static_cast<Index>(columns.size()), 5);
    Array padded(25, size);
    for (Index i = 0; i < 25; ++i) {
        for (std::size_t j = 0; j < columns.size(); ++j) padded(i, columns[j]) = phi(i, static_cast<Index>(j));
    }
    const auto expected = held_of(whole, padded.view());
    const auto found = held_of(some, phi.view());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] / expected[i] - 1.0) < 1e-12);
    CHECK_THROWS(InvalidInput, "cannot be updated", some.updated(phi.view()));
}

void the_bits_do_not_depend_on_batches_or_threads() {
    const HessianFactor factor = plain().holding(random_array(2, size, 6).view());
    const Array phi = random_array(331, size, 7);
    const auto expected = held_of(factor, phi.view());
    CHECK(held_of(factor, phi.view(), 3) == expected);
    for (const Index batch : {1, 7, 64}) {
        for (Index first = 0; first < phi.rows; first += batch) {
            const Index count = std::min(batch, phi.rows - first);
            const auto part = held_of(factor, phi.rows_from(first, count));
            for (Index i = 0; i < count; ++i) {
                CHECK(part[static_cast<std::size_t>(i)] == expected[static_cast<std::size_t>(first + i)]);
            }
        }
    }
}

void parts_make_the_same_factor() {
    const HessianFactor factor = plain().holding(random_array(2, size, 8).view());
    const Array phi = random_array(9, size, 9);
    CHECK(held_of(plain().with_held(factor.held()), phi.view()) == held_of(factor, phi.view()));
    HeldParts wrong = factor.held();
    wrong.left.size = 1;
    CHECK_THROWS(
        InvalidInput, "the shapes or values of the held parts do not agree with the factor", plain().with_held(wrong)
    );
    CHECK(factor.holds() && !plain().holds() && plain().held().directions.rows == 0);
}

void what_cannot_be_held_is_refused() {
    const Array phi = random_array(2, size, 10);
    std::vector<double> out(2);
    FormScores scores;
    scores.lpr_held = {out.data(), 2};
    CHECK_THROWS(InvalidInput, "nothing is held", plain().score(phi.view(), scores));
    CHECK_THROWS(InvalidInput, "zero", plain().holding(Array(2, size).view()));
    CHECK_THROWS(InvalidInput, "columns", plain().holding(Array(2, size - 1).view()));
    Array broken = random_array(1, size, 11);
    broken(0, 3) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS(InvalidInput, "row 0", plain().holding(broken.view()));
}

const Tests tests("held", [] {
    run("one held row leaves the Schur complement", one_held_row_leaves_the_schur_complement);
    run("restricted factors hold what the whole holds", restricted_factors_hold_what_the_whole_holds);
    run("the bits do not depend on batches or threads", the_bits_do_not_depend_on_batches_or_threads);
    run("parts make the same factor", parts_make_the_same_factor);
    run("what cannot be held is refused", what_cannot_be_held_is_refused);
});

}  // namespace
}  // namespace test_held
