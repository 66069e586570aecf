#include "lpr_fast/trigger.hpp"

#include <cmath>
#include <sstream>

#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

template <typename Value>
void require(bool condition, const char* name, Value value, const char* expected) {
    if (condition) return;
    std::ostringstream message;
    message.precision(17);
    message << name << " is " << value << "; it must be " << expected << ".";
    throw InvalidInput(message.str());
}

}  // namespace

Trigger::Trigger(const TriggerRules& rules) : rules_(rules) {
    if (rules.release == 0.0) rules_.release = rules.threshold;
    require(
        rules.threshold >= 0.0 && std::isfinite(rules.threshold), "the threshold", rules.threshold,
        "positive and finite, or zero for no limit of the LPR"
    );
    require(rules_.release >= rules.threshold, "the release", rules.release, "at least the threshold");
    require(
        rules.percentile >= 0.0 && rules.percentile <= 100.0, "the percentile", rules.percentile, "between 0 and 100"
    );
    require(
        rules.unpinned_share >= 0.0 && rules.unpinned_share <= 1.0, "unpinned_share", rules.unpinned_share,
        "between 0 and 1"
    );
    if (rules.threshold == 0.0 && rules.percentile == 0.0 && rules.unpinned_share == 1.0) {
        throw InvalidInput("the trigger has no limit; give it a threshold of the LPR, a percentile or a share.");
    }
    require(rules.n_steps >= 1, "n_steps", rules.n_steps, "at least 1");
    require(rules.cool_down >= 0, "cool_down", rules.cool_down, "zero or a positive number of steps");
    require(rules.max_frames >= 1, "max_frames", rules.max_frames, "at least 1");
}

TriggerReason Trigger::beyond(const Observation& seen) const {
    if (seen.unpinned_share > rules_.unpinned_share) return TriggerReason::unpinned;
    if (seen.lowest_percentile < rules_.percentile) return TriggerReason::percentile;
    return seen.lowest_lpr < rules_.threshold ? TriggerReason::lpr : TriggerReason::none;
}

TriggerReason Trigger::update(std::int64_t step, const Observation& seen) {
    constexpr const char* expected = "a number; leave out atoms that cannot be scored";
    require(!std::isnan(seen.lowest_lpr), "the lowest LPR", seen.lowest_lpr, expected);
    require(!std::isnan(seen.lowest_percentile), "the lowest percentile", seen.lowest_percentile, expected);
    require(!std::isnan(seen.unpinned_share), "the share of unpinned atoms", seen.unpinned_share, expected);
    require(
        !started_ || step >= last_step_, "the step", step, "no smaller than the one before; make a trigger for each run"
    );
    if (started_ && step == last_step_) return TriggerReason::none;
    started_ = true;
    last_step_ = step;
    const TriggerReason reason = beyond(seen);
    const bool is_beyond = reason != TriggerReason::none;
    if (!is_beyond && seen.lowest_lpr >= rules_.release) armed_ = true;
    n_beyond_ = is_beyond ? n_beyond_ + 1 : 0;
    // Unsigned, because the difference of two steps may exceed the range of a signed integer.
    const std::uint64_t waited = static_cast<std::uint64_t>(step) - static_cast<std::uint64_t>(last_fired_);
    const bool rested = n_fired_ == 0 || waited >= static_cast<std::uint64_t>(rules_.cool_down);
    if (is_exhausted() || !armed_ || !rested || n_beyond_ < rules_.n_steps) return TriggerReason::none;
    armed_ = false;
    last_fired_ = step;
    ++n_fired_;
    return reason;
}

}  // namespace lpr_fast
