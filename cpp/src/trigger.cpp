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
        rules.threshold > 0.0 && std::isfinite(rules.threshold), "the threshold", rules.threshold, "positive and finite"
    );
    require(rules_.release >= rules.threshold, "the release", rules.release, "at least the threshold");
    require(rules.n_steps >= 1, "n_steps", rules.n_steps, "at least 1");
    require(rules.cool_down >= 0, "cool_down", rules.cool_down, "a number of steps that is not negative");
    require(rules.max_frames >= 1, "max_frames", rules.max_frames, "at least 1");
}

bool Trigger::update(std::int64_t step, double lowest_lpr) {
    require(!std::isnan(lowest_lpr), "the lowest LPR", lowest_lpr, "a number; leave out atoms that cannot be scored");
    require(
        !started_ || step >= last_step_, "the step", step,
        "no smaller than the one before, because a trigger belongs to one run; make one for each"
    );
    if (started_ && step == last_step_) return false;
    started_ = true;
    last_step_ = step;
    if (lowest_lpr >= rules_.release) armed_ = true;
    n_below_ = lowest_lpr < rules_.threshold ? n_below_ + 1 : 0;
    // Unsigned, because the difference of two steps may need one more bit than they have.
    const std::uint64_t waited = static_cast<std::uint64_t>(step) - static_cast<std::uint64_t>(last_fired_);
    const bool rested = n_fired_ == 0 || waited >= static_cast<std::uint64_t>(rules_.cool_down);
    if (is_exhausted() || !armed_ || !rested || n_below_ < rules_.n_steps) return false;
    armed_ = false;
    last_fired_ = step;
    ++n_fired_;
    return true;
}

}  // namespace lpr_fast
