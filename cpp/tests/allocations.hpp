#pragma once

// Counts allocations. Include it in one file of a test program only, because it replaces operator new.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <new>

namespace lpr_fast::testing {

inline std::atomic<long> n_allocations{0};

inline void* counted(std::size_t size, std::size_t alignment) {
    ++n_allocations;
    void* memory = nullptr;
    if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) != 0) throw std::bad_alloc();
    return memory;
}

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

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which have operators of their own
void* operator new(std::size_t size) {
    return lpr_fast::testing::counted(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return lpr_fast::testing::counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
#endif
