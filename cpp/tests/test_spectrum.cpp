#include "lpr_fast/spectrum.hpp"

#include <cmath>
#include <numeric>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_spectrum {
namespace {

constexpr Index n_rows = 50;
constexpr Index size = 7;

struct Labelled {
    Array rows = random_array(n_rows, size, 1);
    std::vector<double> targets = random_array(n_rows, 1, 2).values;
    std::vector<double> weights = std::vector<double>(n_rows, 1.0);

    HessianAccumulator accumulator(Index left_out = -1, Method method = Method::qr) const {
        std::vector<double> kept = weights;
        if (left_out >= 0) kept[static_cast<std::size_t>(left_out)] = 0.0;
        HessianAccumulator accumulator(size, method, true);
        accumulator.add_labelled(rows.view(), testing::view_of(targets), testing::view_of(kept));
        return accumulator;
    }
};

Array prior_of(unsigned seed) {
    const Array root = random_array(2 * size, size, seed);
    Array prior(size, size);
    for (Index i = 0; i < size; ++i) {
        for (Index j = 0; j < size; ++j) {
            for (Index k = 0; k < root.rows; ++k) prior(i, j) += root(k, i) * root(k, j);
        }
    }
    return prior;
}

double error_of(const Labelled& problem, Index row, const std::vector<double>& weights) {
    double error = problem.targets[static_cast<std::size_t>(row)];
    for (Index j = 0; j < size; ++j) error -= problem.rows(row, j) * weights[static_cast<std::size_t>(j)];
    return error;
}

void left_out_errors_are_those_of_refits_by(Method method) {
    Labelled problem;
    problem.weights[3] = 2.5;
    const Array prior = prior_of(3);
    const Spectrum spectrum(problem.accumulator(-1, method), prior.view());
    const std::vector<double> grid{1e-3, 0.4};
    std::vector<Index> structures(n_rows);
    std::iota(structures.begin(), structures.end(), Index{0});
    Array residuals(n_rows, 2), errors(n_rows, 2);
    spectrum.leave_one_out(
        problem.rows.view(), testing::view_of(problem.targets), testing::view_of(problem.weights), structures,
        testing::view_of(grid), {residuals.values.data(), n_rows, 2}, {errors.values.data(), n_rows, 2}, 2
    );
    for (Index m = 0; m < 2; ++m) {
        const double mu = grid[static_cast<std::size_t>(m)];
        const Fit whole = fit(problem.accumulator(), mu, prior.view());
        for (Index row = 0; row < n_rows; ++row) {
            CHECK_CLOSE(residuals(row, m), error_of(problem, row, whole.weights), 1e-9);
            const Fit others = fit(problem.accumulator(row), mu, prior.view());
            CHECK_CLOSE(errors(row, m), error_of(problem, row, others.weights), 1e-9);
        }
    }
}

void left_out_errors_are_those_of_refits() {
    for (const Method method : {Method::qr, Method::gram}) left_out_errors_are_those_of_refits_by(method);
}

void the_evidence_of_one_row_is_that_of_one_gaussian() {
    // y ~ N(0, s^2 (1 / w + x^2 / mu)), at the s^2 that is most probable, and at one that is known.
    HessianAccumulator accumulator(1, Method::qr, true);
    const double x = 3.0, y = 0.7, w = 2.0, mu = 0.25;
    accumulator.add_labelled({&x, 1, 1}, {&y, 1}, ConstVectorView{&w, 1});
    const double log_of_two_pi = std::log(2.0 * std::acos(-1.0));
    const Spectrum spectrum(accumulator, std::nullopt);
    CHECK_CLOSE(spectrum.minus_twice_log_evidence(mu), 1.0 + log_of_two_pi + std::log(y * y), 1e-13);
    const double variance = 1.5 * (1.0 / w + x * x / mu);
    const double expected = log_of_two_pi + std::log(variance) + y * y / variance;
    CHECK_CLOSE(spectrum.misfit(mu), 1.5 * y * y / variance, 1e-13);
    CHECK_CLOSE(spectrum.minus_twice_log_evidence(mu, 1.5), expected, 1e-13);
}

void what_cannot_be_decomposed_is_refused() {
    const Labelled problem;
    HessianAccumulator plain(size);
    plain.add(problem.rows.view());
    CHECK_THROWS(InvalidInput, "no targets", Spectrum(plain, std::nullopt));
    CHECK_THROWS(InvalidInput, "positive weight", Spectrum(HessianAccumulator(size, Method::qr, true), std::nullopt));
    CHECK_THROWS(InvalidInput, "", Spectrum(problem.accumulator(), std::nullopt, {0, 0}));
    CHECK_THROWS(InvalidInput, "", Spectrum(problem.accumulator(), std::nullopt, {size}));
    const Spectrum spectrum(problem.accumulator(), std::nullopt, {2, 5});
    CHECK(spectrum.eigenvalues().size() == 2 && spectrum.n_flat() == 0);
    CHECK_THROWS(InvalidInput, "regularizer is -1", spectrum.minus_twice_log_evidence(-1.0));
    CHECK_THROWS(InvalidInput, "scale of the noise is 0", spectrum.minus_twice_log_evidence(1.0, 0.0));
}

const Tests tests("spectrum", [] {
    run("left-out errors are those of refits", left_out_errors_are_those_of_refits);
    run("the evidence of one row is that of one Gaussian", the_evidence_of_one_row_is_that_of_one_gaussian);
    run("what cannot be decomposed is refused", what_cannot_be_decomposed_is_refused);
});

}  // namespace
}  // namespace test_spectrum
