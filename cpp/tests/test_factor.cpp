#include <cmath>
#include <limits>

#include "check.hpp"
#include "problems.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_factor {
namespace {

constexpr Method methods[] = {Method::qr, Method::gram};

/// A Gaussian kernel between points on a line, which is ill-conditioned for many points.
Array line_kernel(const std::vector<double>& a, const std::vector<double>& b, double width) {
    Array kernel(static_cast<Index>(a.size()), static_cast<Index>(b.size()));
    for (std::size_t i = 0; i < a.size(); ++i) {
        for (std::size_t j = 0; j < b.size(); ++j) {
            const double distance = (a[i] - b[j]) / width;
            kernel(static_cast<Index>(i), static_cast<Index>(j)) = std::exp(-0.5 * distance * distance);
        }
    }
    return kernel;
}

std::vector<double> spread_points(Index count, double offset) {
    std::vector<double> points;
    for (Index i = 0; i < count; ++i) points.push_back((static_cast<double>(i) + offset) / static_cast<double>(count));
    return points;
}

void hadamard_features_give_the_rigidity_in_closed_form() {
    // X^T X = M I, hence H = (M + mu) I and LPR = (M + mu) / |phi|^2 for any M.
    const Index size = 1024;
    const double mu = 0.25;
    const Array rows = hadamard(size);
    const Array phi = random_array(65, size, 1);
    for (const Method method : methods) {
        const HessianFactor factor = factorize(accumulated(rows, method), mu);
        const auto forms = forms_of(factor, phi.view());
        for (Index i = 0; i < phi.rows; ++i) {
            double squared = 0.0;
            for (Index j = 0; j < size; ++j) squared += phi(i, j) * phi(i, j);
            CHECK_CLOSE(forms[static_cast<std::size_t>(i)], squared / (static_cast<double>(size) + mu), 1e-13);
        }
        CHECK_CLOSE(factor.condition_number(), 1.0, 1e-6);
        CHECK(std::isnan(factor.error_estimate()) == (method == Method::qr));
    }
}

void a_large_linear_model_agrees_with_extended_precision() {
    const Array rows = random_array(1400, 1000, 2);
    const Array phi = random_array(5, 1000, 3);
    const double mu = 1e-3;
    const auto expected = extended_forms(extended_hessian(rows, nullptr, mu, nullptr), phi);
    for (const Method method : methods) {
        const auto forms = forms_of(factorize(accumulated(rows, method), mu), phi.view());
        for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-11);
    }
}

void a_kernel_model_with_weights_agrees_with_extended_precision() {
    const auto active = spread_points(40, 0.5);
    const Array prior = line_kernel(active, active, 0.03);
    const Array rows = line_kernel(spread_points(90, 0.3), active, 0.03);
    const Array phi = line_kernel(spread_points(7, 0.1), active, 0.03);
    std::vector<double> weights;
    for (Index i = 0; i < rows.rows; ++i) weights.push_back(1.0 / static_cast<double>((i + 1) * (i + 1)));
    const auto expected = extended_forms(extended_hessian(rows, &weights, 1e-2, &prior), phi);
    const HessianFactor factor = factorize(accumulated(rows, Method::qr, &weights), 1e-2, prior.view());
    CHECK(factor.n_dropped() == 0);
    const auto forms = forms_of(factor, phi.view());
    for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-11);

    const HessianFactor gram = factorize(accumulated(rows, Method::gram, &weights), 1e-2, prior.view());
    const auto gram_forms = forms_of(gram, phi.view());
    for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(gram_forms[i], expected[i], gram.error_estimate());
}

void redundant_active_points_are_dropped_and_change_nothing() {
    // Integer features: the kernel of rank 3 among 5 points is exact, and so is the answer (G^T G + mu I)^-1.
    const Array active_features = [] {
        Array a(5, 3);
        a.values = {1, 0, 0, 1, 2, 0, 0, 1, 1, 2, 2, 0, 1, 3, 1};  // the last two are sums of others
        return a;
    }();
    const Array training = random_array(6, 3, 4);
    const Array test = random_array(4, 3, 5);
    const auto times_active = [&](const Array& features) {
        Array kernel(features.rows, 5);
        for (Index i = 0; i < features.rows; ++i) {
            for (Index j = 0; j < 5; ++j) {
                for (Index k = 0; k < 3; ++k) kernel(i, j) += features(i, k) * active_features(j, k);
            }
        }
        return kernel;
    };
    const double mu = 1e-6;
    const HessianFactor factor =
        factorize(accumulated(times_active(training)), mu, times_active(active_features).view());
    CHECK(factor.n_dropped() == 2 && factor.size() == 5 && factor.columns().size() == 3);
    const auto expected = extended_forms(extended_hessian(training, nullptr, mu, nullptr), test);
    const auto forms = forms_of(factor, times_active(test).view());
    for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-12);
}

void a_dense_hessian_agrees_with_extended_precision() {
    const Array rows = random_array(200, 150, 6);
    Array hessian(150, 150);
    const auto extended = extended_hessian(rows, nullptr, 0.0, nullptr);
    for (std::size_t i = 0; i < extended.size(); ++i) hessian.values[i] = static_cast<double>(extended[i]);
    const Array phi = random_array(4, 150, 7);
    for (const double mu : {0.0, 0.5}) {
        const Array no_rows(0, 150);
        auto exact = extended_hessian(no_rows, nullptr, mu, nullptr);
        for (std::size_t i = 0; i < exact.size(); ++i) exact[i] += static_cast<long double>(hessian.values[i]);
        const auto expected = extended_forms(exact, phi);
        const auto forms = forms_of(factorize_hessian(hessian.view(), mu), phi.view());
        for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-11);
    }
}

void an_indefinite_hessian_is_refused_with_the_regularizer_that_helps() {
    Array hessian(2, 2);
    hessian.values = {1.0, 0.0, 0.0, -0.5};
    CHECK_THROWS(
        NotPositiveDefinite, "smallest eigenvalue is -0.5; a regularizer of 1", factorize_hessian(hessian.view(), 0.0)
    );
    CHECK(forms_of(factorize_hessian(hessian.view(), 1.0), hessian.view()).size() == 2);
}

void gram_fails_by_name_where_qr_succeeds() {
    const auto active = spread_points(30, 0.5);
    const Array prior = line_kernel(active, active, 0.3);
    const Array rows = line_kernel(spread_points(40, 0.2), active, 0.3);
    CHECK_THROWS(
        NotPositiveDefinite, "use method=\"qr\"", factorize(accumulated(rows, Method::gram), 1e-10, prior.view())
    );
    CHECK(factorize(accumulated(rows), 1e-10, prior.view()).size() == 30);
}

void restriction_gives_the_same_numbers() {
    const Array rows = random_array(300, 60, 8);
    const HessianFactor factor = factorize(accumulated(rows), 1e-3);
    const std::vector<Index> columns{41, 3, 17, 58, 0};
    const HessianFactor restricted = factor.restrict_to(columns);
    const Array few = random_array(9, 5, 9);
    Array padded(9, 60);
    for (Index i = 0; i < 9; ++i) {
        for (Index j = 0; j < 5; ++j) padded(i, columns[static_cast<std::size_t>(j)]) = few(i, j);
    }
    const auto expected = forms_of(factor, padded.view());
    const auto forms = forms_of(restricted, few.view());
    for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-12);
    CHECK(restricted.size() == 5);

    CHECK_THROWS(InvalidInput, "list of columns is empty", factor.restrict_to({}));
    CHECK_THROWS(InvalidInput, "column 60 does not exist", factor.restrict_to({1, 60}));
    CHECK_THROWS(InvalidInput, "column -1 does not exist", factor.restrict_to({-1}));
    CHECK_THROWS(InvalidInput, "column 7 is given twice", factor.restrict_to({7, 8, 7}));
}

void an_update_equals_a_fit_with_all_rows() {
    const Array rows = random_array(900, 40, 10);
    const Array phi = random_array(6, 40, 11);
    HessianAccumulator few(40);
    few.add(rows.rows_from(0, 50));
    const HessianFactor updated = factorize(few, 1e-4).updated(rows.rows_from(50, 850));
    const auto expected = extended_forms(extended_hessian(rows, nullptr, 1e-4, nullptr), phi);
    const auto forms = forms_of(updated, phi.view());
    for (std::size_t i = 0; i < forms.size(); ++i) CHECK_CLOSE(forms[i], expected[i], 1e-12);
}

void updates_in_parts_give_the_bits_of_one() {
    const Array rows = random_array(900, 40, 10);
    const HessianFactor start = factorize(accumulated(random_array(3, 40, 12)), 1e-9);
    const HessianFactor parts = start.updated(rows.rows_from(0, 1), std::nullopt, 2)
                                    .updated(rows.rows_from(1, 299))
                                    .updated(rows.rows_from(300, 600));
    const HessianFactor once = start.updated(rows.view());
    CHECK(forms_of(parts, rows.view()) == forms_of(once, rows.view()));
    CHECK_THROWS(InvalidInput, "expected 40", parts.updated(random_array(2, 39, 13).view()));
}

void an_update_by_an_accumulator_has_the_bits_of_one_by_its_rows() {
    const Array rows = random_array(900, 40, 10);
    const HessianFactor start = factorize(accumulated(random_array(3, 40, 12)), 1e-9);
    const HessianFactor once = start.updated(rows.view());
    CHECK(forms_of(start.updated(accumulated(rows)), rows.view()) == forms_of(once, rows.view()));
    const HessianFactor later = start.updated(rows.view()).updated(accumulated(random_array(3, 40, 12)));
    CHECK(forms_of(later, rows.view()) == forms_of(once.updated(random_array(3, 40, 12).view()), rows.view()));
    CHECK_THROWS(
        InvalidInput, "the accumulator has size 39, method qr and rows without targets; a factor of size 40 needs",
        start.updated(HessianAccumulator(39))
    );
    CHECK_THROWS(
        InvalidInput, "the accumulator has size 40, method gram and rows without targets; a factor",
        start.updated(HessianAccumulator(40, Method::gram))
    );
    CHECK_THROWS(
        InvalidInput, "the accumulator has size 40, method qr and labelled rows; a factor of size 40 needs",
        start.updated(HessianAccumulator(40, Method::qr, true))
    );
}

void the_condition_estimate_is_near_the_truth() {
    Array hessian(50, 50);
    for (Index i = 0; i < 50; ++i) hessian(i, i) = std::pow(10.0, -static_cast<double>(i) / 5.0);
    CHECK_CLOSE(factorize_hessian(hessian.view(), 0.0).condition_number(), std::pow(10.0, 4.9), 0.05);
}

void a_factor_can_be_rebuilt_from_its_parts() {
    const HessianFactor factor = factorize(accumulated(random_array(30, 12, 12)), 1e-2);
    const HessianFactor rebuilt = HessianFactor::from_triangle(
        factor.size(), factor.columns(), factor.triangle(), factor.condition_number(), factor.error_estimate()
    );
    const Array phi = random_array(3, 12, 13);
    CHECK(forms_of(factor, phi.view()) == forms_of(rebuilt, phi.view()));
    const Array zeros(12, 12);
    CHECK_THROWS(
        InvalidInput, "over- or underflow", HessianFactor::from_triangle(12, factor.columns(), zeros.view(), 1.0, 0.0)
    );
    Array transposed(12, 12);
    for (Index i = 0; i < 12; ++i) {
        for (Index j = 0; j < 12; ++j) transposed(i, j) = factor.triangle().row(j)[i];
    }
    CHECK_THROWS(
        InvalidInput, "zero below its diagonal",
        HessianFactor::from_triangle(12, factor.columns(), transposed.view(), 1.0, 0.0)
    );
    CHECK_THROWS(
        InvalidInput, "expected 12", HessianFactor::from_triangle(12, factor.columns(), {nullptr, 0, 0}, 1.0, 0.0)
    );
}

void unusable_arguments_are_refused() {
    const HessianAccumulator accumulator = accumulated(random_array(5, 3, 14));
    for (const double mu : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
        CHECK_THROWS(InvalidInput, "must be finite and positive", factorize(accumulator, mu));
    }
    CHECK_THROWS(InvalidInput, "no training rows", factorize(HessianAccumulator(3), 1.0));
    Array prior(3, 3);
    prior.values = {1, 0, 0, 0, 1, 0.5, 0, 0, 1};
    CHECK_THROWS(InvalidInput, "is not symmetric: entry (2, 1)", factorize(accumulator, 1.0, prior.view()));
    prior(2, 1) = std::nan("");
    CHECK_THROWS(InvalidInput, "NaN or infinity at (2, 1)", factorize(accumulator, 1.0, prior.view()));
    const Array wide(2, 3);
    CHECK_THROWS(InvalidInput, "must be square", factorize(accumulator, 1.0, wide.view()));
    CHECK_THROWS(InvalidInput, "must be square", factorize_hessian(wide.view(), 1.0));
    const Array two(2, 2);
    CHECK_THROWS(InvalidInput, "2 columns, expected 3", factorize(accumulator, 1.0, two.view()));
    CHECK_THROWS(InvalidInput, "not negative", factorize_hessian(two.view(), -1.0));
}

const Tests tests("factor", [] {
    run("Hadamard features give the rigidity in closed form", hadamard_features_give_the_rigidity_in_closed_form);
    run("a large linear model agrees with extended precision", a_large_linear_model_agrees_with_extended_precision);
    run("a kernel model with weights agrees with extended precision",
        a_kernel_model_with_weights_agrees_with_extended_precision);
    run("redundant active points are dropped and change nothing",
        redundant_active_points_are_dropped_and_change_nothing);
    run("a dense Hessian agrees with extended precision", a_dense_hessian_agrees_with_extended_precision);
    run("an indefinite Hessian is refused with the regularizer that helps",
        an_indefinite_hessian_is_refused_with_the_regularizer_that_helps);
    run("gram fails by name where qr succeeds", gram_fails_by_name_where_qr_succeeds);
    run("restriction gives the same numbers", restriction_gives_the_same_numbers);
    run("an update equals a fit with all rows", an_update_equals_a_fit_with_all_rows);
    run("updates in parts give the bits of one", updates_in_parts_give_the_bits_of_one);
    run("an update by an accumulator has the bits of one by its rows",
        an_update_by_an_accumulator_has_the_bits_of_one_by_its_rows);
    run("the condition estimate is near the truth", the_condition_estimate_is_near_the_truth);
    run("a factor can be rebuilt from its parts", a_factor_can_be_rebuilt_from_its_parts);
    run("unusable arguments are refused", unusable_arguments_are_refused);
});

}  // namespace
}  // namespace test_factor
