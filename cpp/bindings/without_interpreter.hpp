#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>
#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace lpr_fast::python {

/// Releases the interpreter lock during its lifetime, so that other Python threads can run.
///
/// If the interpreter is shutting down when a daemon thread takes the lock back, Python before 3.14 unwinds the stack
/// of that thread. Unwinding through this destructor would end the process, so the thread sleeps until the process
/// ends, as in Python 3.14.
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
