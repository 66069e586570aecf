#pragma once

// Counts the allocations of a test program that has allocations.cpp in it.

#include <atomic>
#include <functional>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which have operators of their own
#define LPR_FAST_COUNTS_ALLOCATIONS
#endif

namespace lpr_fast::testing {

inline std::atomic<long> n_allocations{0};

/// Whether a call stops allocating after some repetitions. Their number depends on the system: scratch memory of a
/// second thread is made when two threads work at the same time for the first time.
inline bool stops_allocating(const std::function<void()>& call) {
    constexpr int n_calls = 20;
#ifdef LPR_FAST_COUNTS_ALLOCATIONS
    constexpr int n_quiet = 5;
#else
    constexpr int n_quiet = 1;
#endif
    int n_in_turn = 0;
    for (int round = 0; round < 100 && n_in_turn < n_quiet; ++round) {
        const long before = n_allocations;
        for (int n = 0; n < n_calls; ++n) call();
        n_in_turn = n_allocations == before ? n_in_turn + 1 : 0;
    }
    return n_in_turn == n_quiet;
}

}  // namespace lpr_fast::testing
