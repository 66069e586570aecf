#pragma once

// Counts the allocations of a test program that has allocations.cpp in it; none where a sanitizer has its own
// operators.

#include <atomic>
#include <functional>

namespace lpr_fast::testing {

inline std::atomic<long> n_allocations{0};

/// Whether a call stops allocating after some repetitions. Their number depends on the system: scratch memory of a
/// second thread is made when two threads work at the same time for the first time.
inline bool stops_allocating(const std::function<void()>& call) {
    constexpr int n_calls = 20;
    constexpr int n_quiet = 5;
    int n_in_turn = 0;
    for (int round = 0; round < 100 && n_in_turn < n_quiet; ++round) {
        const long before = n_allocations;
        for (int n = 0; n < n_calls; ++n) call();
        n_in_turn = n_allocations == before ? n_in_turn + 1 : 0;
    }
    return n_in_turn == n_quiet;
}

}  // namespace lpr_fast::testing
