#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <utility>

#include "lpr_fast/error.hpp"
#include "lpr_fast/hessian_accumulator.hpp"
#include "without_interpreter.hpp"

namespace lpr_fast::python {

/// An accumulator that several Python threads may call: one at a time, each without the interpreter lock.
class Accumulator {
public:
    explicit Accumulator(HessianAccumulator accumulator) : accumulator_(std::move(accumulator)) {}

    template <typename Function>
    auto exclusively(const Function& function) {
        renew_after_fork();
        const WithoutInterpreter no_interpreter;
        const std::lock_guard<std::mutex> lock(*mutex_);
        const Busy busy(is_busy_);
        return function(accumulator_);
    }

private:
    struct Busy {
        explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
        ~Busy() { flag_ = false; }
        bool& flag_;
    };

    /// A forked child inherits a mutex that another thread may have held, and that nobody will release.
    void renew_after_fork() {
        if (process_ == getpid()) return;
        if (is_busy_) {
            throw Error("another thread was using this accumulator when the process was forked; build it anew here.");
        }
        static_cast<void>(mutex_.release());  // destroying a locked mutex is undefined
        mutex_ = std::make_unique<std::mutex>();
        process_ = getpid();
    }

    HessianAccumulator accumulator_;
    std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
    pid_t process_ = getpid();
    bool is_busy_ = false;
};

}  // namespace lpr_fast::python
