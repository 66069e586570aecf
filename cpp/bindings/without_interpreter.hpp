#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

namespace lpr_fast::python {

/// Lets other Python threads run for as long as it lives.
///
/// A daemon thread that comes back while the interpreter shuts down would be ended in the middle of a destructor, and
/// with it the process. It waits for the end instead, as Python itself does from 3.14 on.
class WithoutInterpreter {
public:
    WithoutInterpreter() : state_(PyEval_SaveThread()) {}
    WithoutInterpreter(const WithoutInterpreter&) = delete;
    WithoutInterpreter& operator=(const WithoutInterpreter&) = delete;

    ~WithoutInterpreter() {
        while (is_finalizing()) std::this_thread::sleep_for(std::chrono::seconds(1));
        PyEval_RestoreThread(state_);
    }

private:
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
