#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "lpr_fast/lpr_fast.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_trigger {
namespace {

TriggerRules rules(double threshold, double release, Index n_steps, std::int64_t cool_down, Index max_frames) {
    return {threshold, release, n_steps, cool_down, max_frames, 0.0, 1.0};
}

/// The steps at which a trigger fires, if every tenth step is scored.
std::vector<std::int64_t> fired(const TriggerRules& chosen, const std::vector<double>& lowest) {
    Trigger trigger(chosen);
    std::vector<std::int64_t> steps;
    std::int64_t step = 0;
    for (const double value : lowest) {
        if (trigger.update(step, {value}) != TriggerReason::none) steps.push_back(step);
        step += 10;
    }
    return steps;
}

using Steps = std::vector<std::int64_t>;

void it_fires_once_for_each_time_below() {
    CHECK((fired(rules(1, 1, 1, 0, 9), {2, 0.5, 0.5, 1, 0.9, 3}) == Steps{10, 40}));
    CHECK((fired(rules(1, 1, 1, 0, 9), {0.5, 0.1}) == Steps{0}));
    CHECK(fired(rules(1, 1, 1, 0, 9), {1, 1, std::numeric_limits<double>::infinity()}).empty());
}

void hysteresis_needs_the_release() {
    CHECK((fired(rules(1, 2, 1, 0, 9), {0.5, 1.5, 0.5, 2, 0.5}) == Steps{0, 40}));
}

void several_steps_in_a_row_must_be_below() {
    CHECK((fired(rules(1, 1, 3, 0, 9), {0.5, 0.5, 1, 0.5, 0.5, 0.5, 0.5}) == Steps{50}));
}

void a_cool_down_and_a_largest_number_limit_the_rate() {
    const std::vector<double> spikes{0.5, 2, 0.5, 2, 0.5, 2, 0.5};
    CHECK((fired(rules(1, 1, 1, 40, 9), spikes) == Steps{0, 40}));
    CHECK((fired(rules(1, 1, 1, 0, 3), spikes) == Steps{0, 20, 40}));
    // A violation that begins during the cool-down fires after it.
    CHECK((fired(rules(1, 1, 1, 30, 9), {0.5, 2, 0.5, 0.5, 0.5}) == Steps{0, 30}));
    Trigger trigger(rules(1, 1, 1, 0, 1));
    CHECK(!trigger.is_exhausted());
    CHECK(trigger.update(7, {0.5}) == TriggerReason::lpr);
    CHECK(trigger.is_exhausted());
    CHECK(trigger.n_fired() == 1);
    constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
    Trigger far(rules(1, 1, 1, 5, 2));
    CHECK(far.update(-last, {0.5}) == TriggerReason::lpr);
    CHECK(far.update(-last + 1, {2.0}) == TriggerReason::none);
    CHECK(far.update(last, {0.5}) == TriggerReason::lpr);
}

void each_limit_has_its_reason_and_the_gravest_is_told() {
    Trigger trigger({1.0, 2.0, 1, 0, 9, 5.0, 0.1});
    CHECK(trigger.update(0, {3.0, 50.0, 0.1}) == TriggerReason::none);
    CHECK(trigger.update(1, {3.0, 50.0, 0.2}) == TriggerReason::unpinned);
    CHECK(trigger.update(2, {3.0, 4.0, 0.0}) == TriggerReason::none);   // not all have recovered
    CHECK(trigger.update(3, {1.5, 50.0, 0.0}) == TriggerReason::none);  // below the release, 2
    CHECK(trigger.update(4, {2.0, 5.0, 0.1}) == TriggerReason::none);
    CHECK(trigger.update(5, {0.5, 4.0, 0.0}) == TriggerReason::percentile);
    CHECK(trigger.update(6, {}) == TriggerReason::none);
    CHECK(trigger.update(7, {0.5, 50.0, 0.0}) == TriggerReason::lpr);
    CHECK(trigger.update(8, {}) == TriggerReason::none);
    CHECK(trigger.update(9, {0.5, 4.0, 1.0}) == TriggerReason::unpinned);
}

void one_limit_is_enough_and_steps_beyond_any_count_together() {
    Trigger alone({0.0, 0.0, 2, 0, 9, 0.0, 0.0});
    CHECK(alone.update(0, {1e-9, 0.0, 0.0}) == TriggerReason::none);
    CHECK(alone.update(1, {1.0, 50.0, 1e-3}) == TriggerReason::none);
    CHECK(alone.update(2, {1.0, 50.0, 1e-3}) == TriggerReason::unpinned);
    Trigger any({1.0, 1.0, 2, 0, 9, 5.0, 1.0});
    CHECK(any.update(0, {0.5, 50.0, 1.0}) == TriggerReason::none);
    CHECK(any.update(1, {2.0, 4.0, 1.0}) == TriggerReason::percentile);
}

void what_cannot_be_meant_is_refused() {
    const double nan = std::nan("");
    CHECK_THROWS(InvalidInput, "the trigger has no limit", Trigger(rules(0, 1, 1, 0, 1)));
    CHECK_THROWS(InvalidInput, "the threshold is nan", Trigger(rules(nan, 1, 1, 0, 1)));
    CHECK_THROWS(
        InvalidInput, "the release is 0.5; it must be at least the threshold", Trigger(rules(1, 0.5, 1, 0, 1))
    );
    CHECK_THROWS(InvalidInput, "the percentile is 101", Trigger({1, 1, 1, 0, 1, 101.0, 1.0}));
    CHECK_THROWS(InvalidInput, "unpinned_share is -1", Trigger({1, 1, 1, 0, 1, 0.0, -1.0}));
    CHECK_THROWS(InvalidInput, "n_steps is 0", Trigger(rules(1, 1, 0, 0, 1)));
    CHECK_THROWS(InvalidInput, "cool_down is -1", Trigger(rules(1, 1, 1, -1, 1)));
    CHECK_THROWS(InvalidInput, "max_frames is 0", Trigger(rules(1, 1, 1, 0, 0)));
    Trigger trigger(rules(1, 1, 1, 0, 1));
    CHECK_THROWS(InvalidInput, "the lowest LPR is nan", trigger.update(0, {nan}));
    CHECK(trigger.update(5, {2.0}) == TriggerReason::none);
    CHECK(trigger.update(5, {0.5}) == TriggerReason::none);  // the same step again
    CHECK_THROWS(InvalidInput, "the step is 4; it must be no smaller than the one before", trigger.update(4, {2.0}));
    CHECK(trigger.update(6, {0.5}) == TriggerReason::lpr);
    CHECK(Trigger(rules(2, 0, 1, 0, 1)).rules().release == 2.0);
}

const Tests tests("trigger", [] {
    run("it fires once for each time below", it_fires_once_for_each_time_below);
    run("hysteresis needs the release", hysteresis_needs_the_release);
    run("several steps in a row must be below", several_steps_in_a_row_must_be_below);
    run("a cool-down and a largest number limit the rate", a_cool_down_and_a_largest_number_limit_the_rate);
    run("each limit has its reason, and the gravest is told", each_limit_has_its_reason_and_the_gravest_is_told);
    run("one limit is enough, and steps beyond any count together",
        one_limit_is_enough_and_steps_beyond_any_count_together);
    run("what cannot be meant is refused", what_cannot_be_meant_is_refused);
});

}  // namespace
}  // namespace test_trigger
