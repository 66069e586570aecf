#include "base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <limits>
#include <mutex>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

std::atomic<bool> was_forked{false};

#if defined(__unix__) || defined(__APPLE__)
[[maybe_unused]] const int fork_handler =
    pthread_atfork(nullptr, nullptr, [] { was_forked.store(true, std::memory_order_relaxed); });
#endif

int cores_in_affinity_mask() {
#if defined(__linux__)
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof(mask), &mask) == 0) return std::max(1, CPU_COUNT(&mask));
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// OpenMP runtimes end the process when the system refuses a thread, and more threads than this bring no speed.
int most_threads() {
    return std::max(8, 2 * cores_in_affinity_mask());
}

int threads_from_environment() {
    const char* text = std::getenv("OMP_NUM_THREADS");
    if (text == nullptr) return 0;
    const long value = std::strtol(text, nullptr, 10);  // the first number of a list such as "4,2"
    return static_cast<int>(std::clamp(value, 0L, static_cast<long>(std::numeric_limits<int>::max())));
}

/// Hands out tasks in increasing order, and remembers the exception of the first one that failed.
class TaskQueue {
public:
    explicit TaskQueue(Index n_tasks) : n_tasks_(n_tasks), failed_(n_tasks) {}

    void run(const std::function<Worker()>& make_worker) noexcept {
        Index task = next_.fetch_add(1);
        try {
            if (task >= n_tasks_) return;
            const Worker worker = make_worker();
            for (; task < failed_.load(); task = next_.fetch_add(1)) worker(task);
        } catch (...) {
            fail(task, std::current_exception());
        }
    }

    void rethrow() const {
        if (exception_) std::rethrow_exception(exception_);
    }

private:
    void fail(Index task, std::exception_ptr exception) noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (task >= failed_.load() && exception_) return;
        failed_.store(task);
        exception_ = std::move(exception);
    }

    const Index n_tasks_;
    std::atomic<Index> next_{0};
    std::atomic<Index> failed_;  // lowest task that failed; later ones need not run
    std::mutex mutex_;
    std::exception_ptr exception_;
};

}  // namespace

bool is_forked_child() {
    return was_forked.load(std::memory_order_relaxed);
}

int resolve_threads(int n_threads) {
    if (n_threads < 0) {
        throw InvalidInput(
            "n_threads is " + std::to_string(n_threads) +
            "; give a positive number, or 0 for OMP_NUM_THREADS or all cores."
        );
    }
    if (n_threads == 0) n_threads = threads_from_environment();
    if (n_threads == 0) n_threads = cores_in_affinity_mask();
    return std::min(n_threads, most_threads());
}

int threads_for(Index n_products, int n_threads) {
    constexpr Index worth_threads = Index{1} << 25;  // some milliseconds of one core
    return n_products < worth_threads ? 1 : n_threads;
}

void parallel_for(Index n_tasks, int n_threads, const std::function<Worker()>& make_worker) {
    const int threads = static_cast<int>(std::min<Index>(resolve_threads(n_threads), n_tasks));
    TaskQueue queue(n_tasks);
    if (threads <= 1 || is_forked_child()) {
        queue.run(make_worker);
    } else {
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
#endif
        queue.run(make_worker);
    }
    queue.rethrow();
}

void parallel_for_each(Index n_tasks, int n_threads, const Worker& work) {
    parallel_for(n_tasks, n_threads, [&work]() -> Worker { return [&work](Index task) { work(task); }; });
}

}  // namespace lpr_fast
