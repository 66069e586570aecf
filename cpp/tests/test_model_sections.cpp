// Sections of model files that only some models have.

#include <cmath>
#include <limits>

#include "forged_parts.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_model_sections {
namespace {

constexpr auto largest_integer = std::numeric_limits<std::int64_t>::max();

void entries_that_cannot_be_meant_are_refused() {
    check_refused(
        Parts("one_species"),
        {
            {fact("/data/n_rows", -1), "n_rows is negative"},
            {fact("/data/rest_norm", nullptr), "rest_norm is not a number"},
            {fact("/data", OrderedJson::object()), "an entry is missing or of the wrong type"},
            {fact("/noise/force", "x"), "'force' of noise is not a number"},
            {fact("/noise/force", 0.0), "'force' of noise is not positive"},
            {fact("/noise", {1}), "noise is not a dictionary"},
            {fact("/loss", "noisy"), "unknown loss 'noisy'"},
            {fact("/calibration", {1}), "calibration is not a dictionary"},
            {fact("/calibration/prior_variance", -1.0), "the prior variance is not positive"},
            {fact("/calibration", {{"prior_variance", 1.0}}), "an entry is missing or of the wrong type"},
            {entry("data.triangle", "shape", {4, 16}), "the array 'data.triangle' has the wrong shape"},
            {fact("/reference/loose", 101), "the limit of loose environments is above 100 percent"},
            {fact("/reference/unlike", -1), "the limit of unlike environments is negative"},
            {fact("/reference", {{"loose", 1}}), "an entry is missing or of the wrong type"},
            {entry("reference.lpr.14.bins", "dtype", "F64"), "the array 'reference.lpr.14.bins' has the wrong type"},
            {entry("reference.residual.14.counts", "dtype", "F64"),
             "the array 'reference.residual.14.counts' has the wrong type"},
            {entry("active.order", "dtype", "F64"), "the array 'active.order' has the wrong type"},
        }
    );
}

void what_is_held_fits_the_factors_or_is_refused() {
    const std::string unfit = "the shapes or values of the held parts do not agree with the factor";
    check_refused(
        Parts("held"),
        {
            {renamed("hessian.directions", "hessian.14.directions"), "the held directions has 4 columns, expected 7"},
            {renamed("hessian.held", "active"), unfit},
            {entry("hessian.directions", "shape", {7, 2}), "the array 'hessian.left' has the wrong shape"},
            {entry("hessian.directions", "shape", {14}), "the array 'hessian.directions' has the wrong type"},
            {entry("hessian.held", "shape", {9, 2}), unfit},
            {renamed("hessian.left", "more"), "there is no array 'hessian.left'"},
            {renamed("hessian.31.directions", "more"), "some factors have held predictions, others have none"},
            {renamed("hessian.directions", "more"), "some factors have held predictions, others have none"},
            {number("hessian.left", 1, 1.5), unfit},
            {number("hessian.14.left", 0, -1e-300), unfit},
            {number("hessian.14.directions", 3, HUGE_VAL), "the array 'hessian.14.directions' holds NaN or infinity"},
        }
    );
}

void references_count_upwards_in_bins_or_are_refused() {
    const std::string bins = "reference.lpr_held.14.bins";
    const std::string counts = "reference.residual.31.counts";
    const std::int64_t infinite_bin = std::int64_t{0x7ff} << 10;
    check_refused(
        Parts("held"),
        {
            {number(bins, 48, infinite_bin + 1), "the bins of reference.lpr_held.14 do not ascend from zero"},
            {number(bins, 48, largest_integer), "the bins of reference.lpr_held.14 do not ascend from zero"},
            {number(bins, 0, std::int64_t{-1}), "the bins of reference.lpr_held.14 do not ascend from zero"},
            {number(bins, 3, std::int64_t{0}), "the bins of reference.lpr_held.14 do not ascend from zero"},
            {number(counts, 0, std::int64_t{0}), "the counts of reference.residual.31 do not grow"},
            {number(counts, 0, std::int64_t{-5}), "the counts of reference.residual.31 do not grow"},
            {number(counts, 7, largest_integer), "the counts of reference.residual.31 do not grow"},
            {renamed(bins, "more"), "there is no array 'reference.lpr_held.14.bins'"},
            {renamed(bins, "reference.lpr.14.bins"), "reference.lpr_held.14 does not have one count for each bin"},
        }
    );
}

void calibrations_and_constants_fit_the_model_or_are_refused() {
    check_refused(
        Parts("constants"), {
                                {fact("/calibration/projected_process", 1), "a linear model has no projected process"},
                                {fact("/calibration/projected_process", "pp"), "projected_process is not a number"},
                                {fact("/calibration/prior_variance", 0), "the prior variance is not positive"},
                                {fact("/constants", false), "sizes of the parts disagree at the factor of the Hessian"},
                                {fact("/constants", 1), "an entry is missing or of the wrong type"},
                                {fact("/n_features", 6), "sizes of the parts disagree at the factor of the Hessian"},
                            }
    );
}

double prior_variance_with(const std::vector<Change>& changes) {
    Parts parts("one_species");
    for (const Change& change : changes) change(parts);
    const Model model = model_of(forged(parts.header.dump(), parts.arrays));
    return model.info().prior_variance;
}

void noise_says_the_prior_variance_unless_a_calibration_does() {
    const Change noise = fact("/loss", "noise"), variance = fact("/noise/prior_variance", 0.25);
    CHECK(prior_variance_with({variance}) == 0.0);
    CHECK(prior_variance_with({noise, variance}) == 0.25);
    CHECK(prior_variance_with({noise, variance, fact("/noise/force", nullptr)}) == 0.25);
    const Change calibration = fact("/calibration", {{"prior_variance", 3.0}, {"projected_process", 0}});
    CHECK(prior_variance_with({noise, variance, calibration}) == 3.0);
}

/// Numbers that are extreme but valid can be scored.
void the_largest_counts_and_directions_are_scored() {
    Parts parts("held");
    number("reference.lpr_held.14.counts", 48, largest_integer)(parts);
    for (std::size_t k = 0; k < 8; ++k) number("hessian.14.directions", k, 1e200)(parts);
    const Model model = model_of(forged(parts.header.dump(), parts.arrays));
    const Environments environments = read_environments("held");
    double percentile = 0.0;
    double verdict = 0.0;
    Scores scores;
    scores.percentile = {&percentile, 1};
    scores.verdict = {&verdict, 1};
    model.score(environments.features.rows_from(0, 1), environments.species.data(), scores, 1);
    CHECK(percentile >= 0.0 && percentile <= 100.0);
    CHECK(verdict == 0.0 || verdict == 1.0 || verdict == 2.0);
}

const Tests tests("model_sections", [] {
    run("entries that cannot be meant are refused", entries_that_cannot_be_meant_are_refused);
    run("what is held fits the factors or is refused", what_is_held_fits_the_factors_or_is_refused);
    run("references count upwards in bins or are refused", references_count_upwards_in_bins_or_are_refused);
    run("calibrations and constants fit or are refused", calibrations_and_constants_fit_the_model_or_are_refused);
    run("noise says the prior variance", noise_says_the_prior_variance_unless_a_calibration_does);
    run("the largest counts and directions are scored", the_largest_counts_and_directions_are_scored);
});

}  // namespace
}  // namespace test_model_sections
