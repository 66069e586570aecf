#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "lpr_fast/lpr_fast.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace {

TriggerRules rules(double threshold, double release, Index n_steps, std::int64_t cool_down, Index max_frames) {
    return {threshold, release, n_steps, cool_down, max_frames};
}

/// Steps at which it fires, scored every ten steps.
std::vector<std::int64_t> fired(const TriggerRules& chosen, const std::vector<double>& lowest) {
    Trigger trigger(chosen);
    std::vector<std::int64_t> steps;
    std::int64_t step = 0;
    for (const double value : lowest) {
        if (trigger.update(step, value)) steps.push_back(step);
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
    // What began during the cool-down fires when it is over.
    CHECK((fired(rules(1, 1, 1, 30, 9), {0.5, 2, 0.5, 0.5, 0.5}) == Steps{0, 30}));
    Trigger trigger(rules(1, 1, 1, 0, 1));
    CHECK(!trigger.is_exhausted());
    CHECK(trigger.update(7, 0.5));
    CHECK(trigger.is_exhausted());
    CHECK(trigger.n_fired() == 1);
    constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
    Trigger far(rules(1, 1, 1, 5, 2));
    CHECK(far.update(-last, 0.5));
    CHECK(!far.update(-last + 1, 2.0));
    CHECK(far.update(last, 0.5));
}

void what_cannot_be_meant_is_refused() {
    const double nan = std::nan("");
    CHECK_THROWS(InvalidInput, "the threshold is 0; it must be positive", Trigger(rules(0, 1, 1, 0, 1)));
    CHECK_THROWS(InvalidInput, "the threshold is nan", Trigger(rules(nan, 1, 1, 0, 1)));
    CHECK_THROWS(
        InvalidInput, "the release is 0.5; it must be at least the threshold", Trigger(rules(1, 0.5, 1, 0, 1))
    );
    CHECK_THROWS(InvalidInput, "n_steps is 0", Trigger(rules(1, 1, 0, 0, 1)));
    CHECK_THROWS(InvalidInput, "cool_down is -1", Trigger(rules(1, 1, 1, -1, 1)));
    CHECK_THROWS(InvalidInput, "max_frames is 0", Trigger(rules(1, 1, 1, 0, 0)));
    Trigger trigger(rules(1, 1, 1, 0, 1));
    CHECK_THROWS(InvalidInput, "the lowest LPR is nan", trigger.update(0, nan));
    CHECK(!trigger.update(5, 2.0));
    CHECK(!trigger.update(5, 0.5));  // the same step again
    CHECK_THROWS(InvalidInput, "the step is 4; it must be no smaller than the one before", trigger.update(4, 2.0));
    CHECK(trigger.update(6, 0.5));
    CHECK(Trigger(rules(2, 0, 1, 0, 1)).rules().release == 2.0);
}

}  // namespace

int main() {
    run("it fires once for each time below", it_fires_once_for_each_time_below);
    run("hysteresis needs the release", hysteresis_needs_the_release);
    run("several steps in a row must be below", several_steps_in_a_row_must_be_below);
    run("a cool-down and a largest number limit the rate", a_cool_down_and_a_largest_number_limit_the_rate);
    run("what cannot be meant is refused", what_cannot_be_meant_is_refused);
    return failures == 0 ? 0 : 1;
}
