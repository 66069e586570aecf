#pragma once

#include <stdexcept>
#include <string>

namespace lpr_fast {

/// Root of every exception that the library throws on purpose. The message is one sentence that says what was given,
/// what was expected and what to do.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An argument that cannot be used: wrong shape, NaN, a negative weight, bytes that are no saved state, ...
class InvalidInput : public Error {
public:
    using Error::Error;
};

/// A matrix that had to be positive definite and is not, to the precision of float64.
class NotPositiveDefinite : public Error {
public:
    using Error::Error;
};

}  // namespace lpr_fast
