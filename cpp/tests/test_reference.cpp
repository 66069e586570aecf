// Percentiles and verdicts, against those from all training scores, sorted.

#include "model/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "check.hpp"
#include "lpr_fast/lpr_fast.hpp"
#include "model_files.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_reference {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The bits of a number without the last 42: the index of its bin, as in Python.
Index bin_of(double value) {
    std::int64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    return value == 0.0 ? 0 : std::max<Index>(bits >> 42, 1);
}

Distribution counted(const std::vector<double>& values) {
    std::map<Index, Index> counts;
    for (const double value : values) ++counts[bin_of(value)];
    std::vector<Index> bins, upto;
    Index sum = 0;
    for (const auto& [bin, count] : counts) {
        bins.push_back(bin);
        upto.push_back(sum += count);
    }
    return {bins, upto, "it"};
}

std::vector<double> log_normal(std::size_t n) {
    std::mt19937_64 generator(7);
    std::normal_distribution<double> logarithms(3.0, 2.0);
    std::vector<double> values(n);
    for (double& value : values) value = std::exp(logarithms(generator));
    std::sort(values.begin(), values.end());
    return values;
}

void percentiles_are_those_of_sorted_values() {
    const std::vector<double> values = log_normal(20'000);
    const Distribution found = counted(values);
    const auto below = [&](double value) {
        const auto count = std::lower_bound(values.begin(), values.end(), value) - values.begin();
        return 100.0 * static_cast<double>(count) / static_cast<double>(values.size());
    };
    for (double value = 1e-3; value < 1e6; value *= 1.07) {
        CHECK(found.percent_below(value) >= below(value / 1.001) - 1e-9);
        CHECK(found.percent_below(value) <= below(value * 1.001) + 1e-9);
    }
    double last = 0.0;
    for (double value = 1.0; value < 2.0; value += 1e-5) {
        CHECK(found.percent_below(value) >= last);
        last = found.percent_below(value);
    }
}

void limits_are_within_a_thousandth_of_those_of_sorted_values() {
    const std::vector<double> values = log_normal(5'000);
    const Distribution found = counted(values);
    for (const double percent : {0.0, 0.02, 1.0, 37.0, 50.0, 99.9, 100.0}) {
        const double exact = values[static_cast<std::size_t>(std::max(1.0, std::ceil(percent * 50.0)) - 1.0)];
        CHECK(found.low_end(percent) <= exact && found.high_end(percent) > exact);
        CHECK(found.high_end(percent) / found.low_end(percent) < 1.001);
    }
}

void zero_and_infinity_are_no_neighbours_of_anything() {
    const Distribution found = counted({0.0, 0.0, 1e-320, 1.0, infinity});
    CHECK(found.percent_below(0.0) == 0.0);
    CHECK(found.percent_below(1e-300) == 60.0);
    CHECK(found.percent_below(1e308) == 80.0);
    CHECK(found.percent_below(infinity) == 80.0);
    CHECK(counted({infinity}).low_end(1.0) == infinity && counted({0.0}).high_end(99.0) == 0.0);
}

void environments_that_are_all_alike_are_not_loose() {
    // The training environments of a perfect crystal differ by rounding errors only.
    const std::vector<double> values(64, 3.7);
    const SpeciesReference reference{counted(values), counted(values).low_end(1.0), infinity};
    CHECK(reference.verdict(3.7, 0.0) == Verdict::pinned);
    CHECK(reference.verdict(3.7 * (1.0 - 1e-14), 0.0) == Verdict::pinned);
    CHECK(reference.verdict(3.6, 0.0) == Verdict::loose);
}

void unlike_wins() {
    const SpeciesReference reference{counted({1.0, 2.0}), 1.0, 0.1};
    CHECK(reference.verdict(0.5, 0.2) == Verdict::unlike);
    CHECK(reference.verdict(5.0, 0.2) == Verdict::unlike);
    CHECK(reference.verdict(0.5, 0.1) == Verdict::loose);
    CHECK(reference.verdict(1.0, 0.0) == Verdict::pinned);
}

void a_model_compares_with_its_own_reference() {
    const Model model = Model::load(data_file("one_species.lpr"));
    CHECK(model.info().has_reference);
    const Environments environments = read_environments("one_species");
    const Index n = environments.features.rows;
    const auto size = static_cast<std::size_t>(n);
    std::vector<double> lpr(size), residual(size), percentile(size), verdict(size), alone(size);
    Scores scores;
    scores.lpr = {lpr.data(), n};
    scores.residual = {residual.data(), n};
    scores.percentile = {percentile.data(), n};
    scores.verdict = {verdict.data(), n};
    model.score(environments.features.view(), environments.species.data(), scores, 2);
    const Json facts = Json::parse(model.parts().text);
    const SpeciesReference reference = read_references(facts, model.parts(), model.info()).front();
    for (std::size_t i = 0; i < size; ++i) {
        CHECK(percentile[i] == reference.rigidity.percent_below(lpr[i]));
        CHECK(verdict[i] == static_cast<double>(reference.verdict(lpr[i], residual[i])));
    }
    CHECK(*std::max_element(percentile.begin(), percentile.end()) > 0.0);
    // The same bits if no other score is requested.
    for (const auto& [view, expected] : {std::pair{&Scores::percentile, &percentile}, {&Scores::verdict, &verdict}}) {
        Scores one;
        one.*view = {alone.data(), n};
        model.score(environments.features.view(), environments.species.data(), one, 1);
        CHECK(alone == *expected);
    }
}

void models_without_a_reference_and_rows_of_phi_have_neither() {
    const Model model = Model::load(data_file("two_species.lpr"));
    CHECK(!model.info().has_reference);
    const Array features(1, 5), phi(1, 9);
    const int species = 14;
    double value = 0.0;
    Scores scores;
    scores.verdict = {&value, 1};
    CHECK_THROWS(
        InvalidInput, "does not know how its training environments score",
        model.score(features.view(), &species, scores)
    );
    const Model other = Model::load(data_file("one_species.lpr"));
    const Array row(1, other.info().size);
    CHECK_THROWS(InvalidInput, "cannot be scored from phi", other.score_phi(row.view(), scores));
}

const Tests tests("reference", [] {
    run("percentiles are those of sorted values", percentiles_are_those_of_sorted_values);
    run("limits are within a thousandth of those of sorted values",
        limits_are_within_a_thousandth_of_those_of_sorted_values);
    run("zero and infinity are no neighbours of anything", zero_and_infinity_are_no_neighbours_of_anything);
    run("environments that are all alike are not loose", environments_that_are_all_alike_are_not_loose);
    run("unlike wins", unlike_wins);
    run("a model compares with its own reference", a_model_compares_with_its_own_reference);
    run("models without a reference and rows of phi have neither",
        models_without_a_reference_and_rows_of_phi_have_neither);
});

}  // namespace
}  // namespace test_reference
