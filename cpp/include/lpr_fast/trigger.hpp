#pragma once

#include <cstdint>
#include <limits>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// When a Trigger fires. A step violates a limit if the lowest LPR is below `threshold`, the lowest percentile is below
/// `percentile`, or a larger share of the atoms than `unpinned_share` is loose or unlike. At least one limit must be
/// set.
struct TriggerRules {
    double threshold = 0.0;       ///< limit of the lowest LPR; 0: no limit
    double release = 0.0;         ///< LPR at or above which it counts as recovered (hysteresis); 0: the threshold
    Index n_steps = 1;            ///< number of consecutive scored steps that must violate a limit
    std::int64_t cool_down = 0;   ///< least number of steps of the simulation between two firings
    Index max_frames = 1;         ///< largest number of firings
    double percentile = 0.0;      ///< limit of the lowest percentile; 0: no limit
    double unpinned_share = 1.0;  ///< limit of the share of unpinned atoms, from 0 to 1; 1: no limit
};

/// Scores of a step, over the atoms that are watched. The defaults stand for no atoms.
struct Observation {
    double lowest_lpr = std::numeric_limits<double>::infinity();
    double lowest_percentile = 100.0;
    double unpinned_share = 0.0;  ///< share of atoms whose Verdict is not pinned, from 0 to 1
};

/// Which limit a step that fires violates. If there are several: unpinned before percentile before lpr.
enum class TriggerReason { none, lpr, percentile, unpinned };

/// Decides, step by step, when a simulation has reached atoms with unreliable predictions, so that a frame should be
/// saved or the run should stop. One object belongs to one simulation.
class Trigger {
public:
    /// @throws InvalidInput  for limits out of range, no limit, a release below the threshold, a negative cool-down,
    /// and counts below 1
    explicit Trigger(const TriggerRules& rules);

    /// Takes the scores of a step and decides whether to fire. After a firing, the next one needs a step in between
    /// that violates no limit and whose lowest LPR is at or above `release`.
    /// @param step  index of the step, not smaller than in the last call; the same step again does not fire
    /// @return the violated limit, or TriggerReason::none if the step does not fire
    /// @throws InvalidInput  for NaN, and for steps that decrease
    TriggerReason update(std::int64_t step, const Observation& seen);

    /// The rules, with `release` set.
    const TriggerRules& rules() const { return rules_; }
    /// Number of firings so far.
    Index n_fired() const { return n_fired_; }
    /// Whether it has fired max_frames times.
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
