#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>
#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace lpr_fast::python {

/// Lets other Python threads run for as long as it lives.
///
/// A daemon thread that comes back while the interpreter shuts down, or begins to while it waits, would be ended by
/// unwinding its stack through a destructor, which ends the process. It waits for the end instead, as Python itself
/// does from 3.14 on.
class WithoutInterpreter {
public:
    WithoutInterpreter() : state_(PyEval_SaveThread()) {}
    WithoutInterpreter(const WithoutInterpreter&) = delete;
    WithoutInterpreter& operator=(const WithoutInterpreter&) = delete;

    ~WithoutInterpreter() {
        while (is_finalizing()) sleep();
#if defined(__GLIBCXX__)
        try {
            PyEval_RestoreThread(state_);
        } catch (abi::__forced_unwind&) {
            for (;;) sleep();
        }
#else
        PyEval_RestoreThread(state_);
#endif
    }

private:
    static void sleep() { std::this_thread::sleep_for(std::chrono::seconds(1)); }

    static bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
        return Py_IsFinalizing() != 0;
#else
        return _Py_IsFinalizing() != 0;
#endif
    }

    PyThreadState* state_;
};

}  // namespace lpr_fast::python
