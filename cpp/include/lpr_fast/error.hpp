#pragma once

#include <stdexcept>
#include <string>

namespace lpr_fast {

/// Base class of all exceptions that the library defines. The message is one sentence that says what was given, what
/// was expected and what to do.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An argument that cannot be used: a wrong shape, NaN, a negative weight, bytes that are not a saved state, ...
class InvalidInput : public Error {
public:
    using Error::Error;
};

/// A matrix that must be positive definite, and is not at the precision of float64.
class NotPositiveDefinite : public Error {
public:
    using Error::Error;
};

}  // namespace lpr_fast
