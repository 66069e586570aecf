#pragma once

#include <cstdint>
#include <limits>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// When a Trigger fires: beyond any of three limits, of which at least one is set.
struct TriggerRules {
    double threshold = 0.0;       ///< beyond: the lowest LPR is below it; 0: never
    double release = 0.0;         ///< the LPR has recovered when it is at or above this (hysteresis); 0: the threshold
    Index n_steps = 1;            ///< so many scored steps, one after the other, must be beyond a limit
    std::int64_t cool_down = 0;   ///< steps of the simulation from one firing to the next, at least
    Index max_frames = 1;         ///< fires no more often than this
    double percentile = 0.0;      ///< beyond: the lowest percentile is below it; 0: never
    double unpinned_share = 1.0;  ///< beyond: a larger share of the atoms is loose or unlike; 1: never
};

/// What a step has come to. Where no atom is watched, it is as at first.
struct Observation {
    double lowest_lpr = std::numeric_limits<double>::infinity();
    double lowest_percentile = 100.0;
    double unpinned_share = 0.0;  ///< of the atoms whose Verdict is another than pinned, from 0 to 1
};

/// Why a step fires: the gravest of the limits that it is beyond.
enum class TriggerReason { none, lpr, percentile, unpinned };

/// Decides, step by step, when a simulation has come to atoms whose predictions are not to be trusted, and a frame is
/// worth saving or the run should stop. One object belongs to one simulation.
class Trigger {
public:
    /// @throws InvalidInput  for limits that are out of range or none, a release below the threshold, a negative
    /// cool-down, and counts below one
    explicit Trigger(const TriggerRules& rules);

    /// Why this step fires, if it does. Once it has fired, it can do so again after a step that has recovered from all
    /// limits.
    /// @param step  number of the step, not smaller than at the last call; the same step again never fires
    /// @throws InvalidInput  for NaN, and for steps that decrease
    TriggerReason update(std::int64_t step, const Observation& seen);

    const TriggerRules& rules() const { return rules_; }
    /// How often it has fired.
    Index n_fired() const { return n_fired_; }
    /// Whether it will never fire again.
    bool is_exhausted() const { return n_fired_ >= rules_.max_frames; }

private:
    TriggerReason beyond(const Observation& seen) const;

    TriggerRules rules_;
    bool armed_ = true;
    bool started_ = false;
    Index n_beyond_ = 0;
    Index n_fired_ = 0;
    std::int64_t last_step_ = 0;
    std::int64_t last_fired_ = 0;
};

}  // namespace lpr_fast
