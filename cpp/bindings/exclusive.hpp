#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "lpr_fast/error.hpp"
#include "lpr_fast/hessian_accumulator.hpp"
#include "without_interpreter.hpp"

namespace lpr_fast::python {

/// A mutable object for several Python threads: one thread at a time uses it, without holding the interpreter lock.
template <typename Held>
class Exclusive {
public:
    explicit Exclusive(Held held) : held_(std::move(held)) {}
    Exclusive(const Exclusive&) = delete;
    Exclusive& operator=(const Exclusive&) = delete;
    ~Exclusive() { delete lock_.load(); }

    template <typename Function>
    auto exclusively(const Function& function) {
        Lock& lock = lock_of_this_process();
        const WithoutInterpreter no_interpreter;
        const std::lock_guard<std::mutex> guard(lock.mutex);
        const Busy busy(lock.is_busy);
        return function(held_);
    }

private:
    struct Lock {
        const pid_t process = getpid();
        std::mutex mutex;
        bool is_busy = false;
    };

    struct Busy {
        explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
        ~Busy() { flag_ = false; }
        bool& flag_;
    };

    /// A forked child may inherit a mutex that was locked by a thread of its parent, so it makes a new lock. The old
    /// one is never destroyed, because destroying a locked mutex is undefined. If several threads of the child make
    /// locks at the same time, the first one is used.
    Lock& lock_of_this_process() {
        Lock* present = lock_.load();
        while (present->process != getpid()) {
            if (present->is_busy) {
                throw Error(
                    "another thread was using this object when the process was forked; create it again in this process."
                );
            }
            auto renewed = std::make_unique<Lock>();
            if (lock_.compare_exchange_strong(present, renewed.get())) present = renewed.release();
        }
        return *present;
    }

    Held held_;
    std::atomic<Lock*> lock_{std::make_unique<Lock>().release()};
};

using Accumulator = Exclusive<HessianAccumulator>;

}  // namespace lpr_fast::python
