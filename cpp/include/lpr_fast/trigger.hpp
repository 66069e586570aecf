#pragma once

#include <cstdint>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// When a Trigger fires.
struct TriggerRules {
    double threshold = 0.0;      ///< fires when the lowest LPR is below it
    double release = 0.0;        ///< and again only after it has been at or above this (hysteresis); 0: the threshold
    Index n_steps = 1;           ///< so many scored steps, one after the other, must be below the threshold
    std::int64_t cool_down = 0;  ///< steps of the simulation from one firing to the next, at least
    Index max_frames = 1;        ///< fires no more often than this
};

/// Decides, step by step, when a simulation has come to atoms whose predictions are not to be trusted, and a frame is
/// worth saving or the run should stop. One object belongs to one simulation.
class Trigger {
public:
    /// @throws InvalidInput  for a threshold that is not positive and finite, a release below it, a negative cool-down,
    /// and counts below one
    explicit Trigger(const TriggerRules& rules);

    /// Whether this step fires.
    /// @param step        number of the step, not smaller than at the last call; the same step again never fires
    /// @param lowest_lpr  of the atoms that are watched; infinity where there are none
    /// @throws InvalidInput  for NaN, and for steps that decrease
    bool update(std::int64_t step, double lowest_lpr);

    const TriggerRules& rules() const { return rules_; }
    /// How often it has fired.
    Index n_fired() const { return n_fired_; }
    /// Whether it will never fire again.
    bool is_exhausted() const { return n_fired_ >= rules_.max_frames; }

private:
    TriggerRules rules_;
    bool armed_ = true;
    bool started_ = false;
    Index n_below_ = 0;
    Index n_fired_ = 0;
    std::int64_t last_step_ = 0;
    std::int64_t last_fired_ = 0;
};

}  // namespace lpr_fast
