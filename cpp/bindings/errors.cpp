#include "lpr_fast/error.hpp"

#include <exception>
#include <new>

#include "register.hpp"

namespace py = pybind11;

namespace lpr_fast::python {
namespace {

void raise(const char* name, const Error& error) {
    const py::object type = py::module_::import("lpr_fast._errors").attr(name);
    py::set_error(type, error.what());
}

}  // namespace

void register_errors(py::module_& /*module*/) {
    py::register_local_exception_translator([](std::exception_ptr exception) {
        try {
            if (exception) std::rethrow_exception(exception);
        } catch (const NotPositiveDefinite& error) {
            raise("NotPositiveDefiniteError", error);
        } catch (const InvalidInput& error) {
            raise("InvalidInputError", error);
        } catch (const Error& error) {
            raise("LprError", error);
        } catch (const std::bad_alloc&) {
            PyErr_SetString(
                PyExc_MemoryError,
                "there is not enough memory: a model of M weights needs several times 8 M^2 bytes; use a smaller model."
            );
        }
    });
}

}  // namespace lpr_fast::python
