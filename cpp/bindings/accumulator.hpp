#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <mutex>
#include <utility>

#include "lpr_fast/hessian_accumulator.hpp"

namespace lpr_fast::python {

/// An accumulator that several Python threads may call: one at a time, each without the interpreter lock.
class Accumulator {
public:
    explicit Accumulator(HessianAccumulator accumulator) : accumulator_(std::move(accumulator)) {}

    template <typename Function>
    auto exclusively(const Function& function) {
        const pybind11::gil_scoped_release no_interpreter;
        const std::lock_guard<std::mutex> lock(mutex_);
        return function(accumulator_);
    }

private:
    HessianAccumulator accumulator_;
    std::mutex mutex_;
};

}  // namespace lpr_fast::python
