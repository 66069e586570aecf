#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "problems.hpp"
#include "rigidity/side_by_side.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_fit {
namespace {

HessianAccumulator labelled(
    const Array& rows, const std::vector<double>& targets, Method method = Method::qr,
    const std::vector<double>* weights = nullptr, Index block = 100
) {
    HessianAccumulator accumulator(rows.cols, method, true);
    for (Index first = 0; first < rows.rows; first += block) {
        const Index count = std::min(block, rows.rows - first);
        const ConstVectorView part{targets.data() + first, count};
        std::optional<ConstVectorView> weight_part;
        if (weights != nullptr) weight_part = ConstVectorView{weights->data() + first, count};
        accumulator.add_labelled(rows.rows_from(first, count), part, weight_part);
    }
    return accumulator;
}

std::vector<double> first_column(const Array& array) {
    std::vector<double> column;
    for (Index i = 0; i < array.rows; ++i) column.push_back(array(i, 0));
    return column;
}

/// Gradient of the loss at the weights, in extended precision, divided by the size of its terms: zero at the optimum.
double relative_gradient(
    const Array& rows, const std::vector<double>& targets, const std::vector<double>* weights, double mu,
    const Array* prior, const std::vector<double>& c
) {
    const auto size = static_cast<std::size_t>(rows.cols);
    std::vector<long double> gradient(size, 0.0L), terms(size, 0.0L);
    const auto add = [&](std::size_t j, long double term) {
        gradient[j] += term;
        terms[j] += std::abs(term);
    };
    for (Index a = 0; a < rows.rows; ++a) {
        const auto at = static_cast<std::size_t>(a);
        long double residual = -static_cast<long double>(targets[at]);
        for (Index j = 0; j < rows.cols; ++j)
            residual += static_cast<long double>(rows(a, j)) * c[static_cast<std::size_t>(j)];
        const long double weight = weights == nullptr ? 1.0L : (*weights)[at];
        for (std::size_t j = 0; j < size; ++j) add(j, weight * rows(a, static_cast<Index>(j)) * residual);
    }
    for (std::size_t j = 0; j < size; ++j) {
        for (std::size_t k = 0; k < size; ++k) {
            const double entry =
                prior == nullptr ? (j == k ? 1.0 : 0.0) : (*prior)(static_cast<Index>(j), static_cast<Index>(k));
            add(j, static_cast<long double>(mu) * entry * c[k]);
        }
    }
    long double worst = 0.0L;
    for (std::size_t j = 0; j < size; ++j) worst = std::max(worst, std::abs(gradient[j]) / terms[j]);
    return static_cast<double>(worst);
}

void the_weights_minimise_the_loss() {
    const Array rows = random_array(700, 30, 1);
    const std::vector<double> targets = first_column(random_array(700, 1, 2));
    std::vector<double> weights = first_column(random_array(700, 1, 3));
    for (double& weight : weights) weight = weight * weight;
    Array prior(30, 30);
    const Array root = random_array(40, 30, 4);
    for (Index i = 0; i < 30; ++i) {
        for (Index j = 0; j < 30; ++j) {
            for (Index k = 0; k < 40; ++k) prior(i, j) += root(k, i) * root(k, j);
        }
    }
    for (const Method method : {Method::qr, Method::gram}) {
        const Fit plain = fit(labelled(rows, targets, method), 1e-3);
        CHECK(relative_gradient(rows, targets, nullptr, 1e-3, nullptr, plain.weights) < 1e-12);
        const Fit weighted = fit(labelled(rows, targets, method, &weights), 0.5, prior.view());
        CHECK(relative_gradient(rows, targets, &weights, 0.5, &prior, weighted.weights) < 1e-12);
    }
}

void targets_do_not_change_a_bit_of_the_factor() {
    // Sizes around the widths of tiles and panels; several leaves, so that factors are merged, too.
    for (const Index size : {1, 31, 63, 64, 65, 127, 128, 129}) {
        for (const Method method : {Method::qr, Method::gram}) {
            const Array rows = random_array(3 * std::max<Index>(4 * size, 256) + 17, size, 5);
            std::vector<double> targets = first_column(random_array(rows.rows, 1, 6));
            for (double& target : targets) target *= 1e6;
            const HessianFactor without = factorize(accumulated(rows, method), 0.1);
            const Fit with = fit(labelled(rows, targets, method), 0.1);
            CHECK(without.columns() == with.factor.columns());
            const ConstMatrixView a = without.triangle();
            const ConstMatrixView b = with.factor.triangle();
            CHECK(std::equal(a.data, a.data + size * size, b.data));
        }
    }
}

void weights_do_not_depend_on_how_rows_were_cut_or_on_threads() {
    const Array rows = random_array(900, 20, 7);
    const std::vector<double> targets = first_column(random_array(900, 1, 8));
    const std::vector<double> expected = fit(labelled(rows, targets), 1e-2, std::nullopt, 1).weights;
    for (const Index block : {1, 7, 900}) {
        CHECK(fit(labelled(rows, targets, Method::qr, nullptr, block), 1e-2, std::nullopt, 2).weights == expected);
    }
    HessianAccumulator accumulator = labelled(rows, targets);
    const auto bytes = accumulator.to_bytes();
    CHECK(fit(HessianAccumulator::from_bytes(bytes.data(), bytes.size()), 1e-2).weights == expected);
}

void dropped_columns_have_no_weight_and_predictions_stay() {
    const Array rows = random_array(50, 3, 9);
    const std::vector<double> targets = first_column(random_array(50, 1, 10));
    Array twice(50, 4);
    Array prior(4, 4);
    for (Index i = 0; i < 50; ++i) {
        for (Index j = 0; j < 4; ++j) twice(i, j) = rows(i, std::min<Index>(j, 2));
    }
    for (Index i = 0; i < 4; ++i) {
        for (Index j = 0; j < 4; ++j) prior(i, j) = std::min<Index>(i, 2) == std::min<Index>(j, 2) ? 1.0 : 0.0;
    }
    const Fit one = fit(labelled(rows, targets), 1e-3);
    const Fit two = fit(labelled(twice, targets), 1e-3, prior.view());
    CHECK(two.factor.n_dropped() == 1);
    CHECK(two.weights[2] == 0.0 || two.weights[3] == 0.0);
    CHECK_CLOSE(two.weights[2] + two.weights[3], one.weights[2], 1e-12);
}

void the_factor_of_a_prior_gives_its_inverse() {
    Array prior(3, 3);
    prior.values = {4, 2, 4, 2, 10, 2, 4, 2, 4};  // the first and the last column are equal
    const HessianFactor factor = factorize_prior(prior.view());
    CHECK(factor.n_dropped() == 1);
    Array phi(2, 3);
    phi.values = {4, 2, 4, 1, 0, 1};
    const std::vector<double> forms = forms_of(factor, phi.view());
    CHECK_CLOSE(forms[0], 4.0, 1e-15);          // a row of the prior: its diagonal element
    CHECK_CLOSE(forms[1], 10.0 / 36.0, 1e-15);  // (1, 0) [4 2; 2 10]^-1 (1, 0)^T
    CHECK_THROWS(NotPositiveDefinite, "or is zero", factorize_prior(Array(2, 2).view()));
    CHECK_THROWS(InvalidInput, "must be square", factorize_prior(Array(2, 3).view()));
}

void members_side_by_side_have_the_bits_of_fits_to_their_rows() {
    constexpr Index n_rows = 600;  // more than two leaves
    constexpr Index n_members = 3;
    const Array rows = random_array(n_rows, 5, 12);
    Array targets = random_array(n_members, n_rows, 13);
    Array weights(n_members, n_rows);
    for (Index i = 0; i < n_rows; ++i) {
        for (Index member = 0; member < n_members; ++member) weights(member, i) = static_cast<double>((i + member) % 3);
    }
    for (const int n_threads : {1, 3}) {
        std::vector<HessianAccumulator> members(n_members, HessianAccumulator(5, Method::qr, true));
        add_to_each(members, rows.view(), targets.view(), weights.view(), n_threads);
        const auto found = fit_each(members, 0.1, std::nullopt, n_threads);
        for (Index member = 0; member < n_members; ++member) {
            HessianAccumulator alone(5, Method::qr, true);
            for (Index i = 0; i < n_rows; ++i) {
                if (weights(member, i) == 0.0) continue;
                const ConstVectorView target{&targets(member, i), 1}, weight{&weights(member, i), 1};
                alone.add_labelled(rows.rows_from(i, 1), target, weight);
            }
            CHECK(found[static_cast<std::size_t>(member)] == fit(alone, 0.1).weights);
        }
    }
    std::vector<HessianAccumulator> empty(2, HessianAccumulator(5, Method::qr, true));
    CHECK_THROWS(InvalidInput, "no training rows", fit_each(empty, 0.1, std::nullopt, 1));
    CHECK(fit_each({}, 0.1, std::nullopt, 1).empty());
}

void unusable_targets_are_refused() {
    HessianAccumulator accumulator(2, Method::qr, true);
    const Array rows = random_array(3, 2, 11);
    std::vector<double> targets{1.0, std::nan(""), 3.0};
    CHECK_THROWS(InvalidInput, "target of row 1 is nan", accumulator.add_labelled(rows.view(), view_of(targets)));
    targets.pop_back();
    CHECK_THROWS(InvalidInput, "got 2 targets for 3 rows", accumulator.add_labelled(rows.view(), view_of(targets)));
    CHECK_THROWS(InvalidInput, "give a target for each", accumulator.add(rows.view()));
    HessianAccumulator plain(2);
    targets = {1.0, 2.0, 3.0};
    CHECK_THROWS(InvalidInput, "make one for labelled rows", plain.add_labelled(rows.view(), view_of(targets)));
    CHECK_THROWS(InvalidInput, "of which only one has labelled rows", plain.merge(accumulator));
    CHECK(accumulator.n_rows() == 0);
    CHECK(fit(accumulated(rows), 1.0).weights.empty());
}

const Tests tests("fit", [] {
    run("the weights minimise the loss", the_weights_minimise_the_loss);
    run("targets do not change a bit of the factor", targets_do_not_change_a_bit_of_the_factor);
    run("weights do not depend on how rows were cut or on threads",
        weights_do_not_depend_on_how_rows_were_cut_or_on_threads);
    run("dropped columns have no weight and predictions stay", dropped_columns_have_no_weight_and_predictions_stay);
    run("the factor of a prior gives its inverse", the_factor_of_a_prior_gives_its_inverse);
    run("members side by side have the bits of fits to their rows",
        members_side_by_side_have_the_bits_of_fits_to_their_rows);
    run("unusable targets are refused", unusable_targets_are_refused);
});

}  // namespace
}  // namespace test_fit
