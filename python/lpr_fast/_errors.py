"""Exceptions and warnings."""

from collections.abc import Iterator

from ._words import agreeing

# Estimated relative errors of rigidities above which a warning is due. QR can replace the Gram route, so that one warns
# early; nothing can replace a dense Hessian, so that one warns only where no digit may be right.
_LARGE_ERROR_GRAM = 1e-6
_LARGE_ERROR_HESSIAN = 0.1


class LprError(Exception):
    """Base class of the exceptions of lpr_fast. The message says what was given, what was expected and what to do."""


class InvalidInputError(LprError, ValueError):
    """Raised for an argument that cannot be used: a wrong shape or dtype, NaN, a negative weight, damaged bytes."""


class NotPositiveDefiniteError(LprError, ValueError):
    """Raised for a matrix that is not positive definite to the precision of float64."""


class MissingPackageError(LprError, ImportError):
    """Raised when an optional package that the call needs is not installed."""


class LprWarning(UserWarning):
    """Issued for results that need attention: dropped active points, a large estimated rounding error."""


def factorisation_warnings(*, method: str, n_dropped: int, size: int, error_estimate: float) -> Iterator[str]:
    """Yield the warnings about a factorisation that succeeded; an `error_estimate` of NaN means that there is none."""
    if n_dropped:
        yield (
            f"{n_dropped} of {size} active points {agreeing(n_dropped, 'was', 'were')} dropped as redundant in "
            "float64: K_MM is singular to rounding and the training rows do not distinguish them; kept_columns lists "
            "the others."
        )
    if method == "gram" and error_estimate > _LARGE_ERROR_GRAM:
        yield (
            f"method='gram' gives rigidities with an estimated relative error of up to {error_estimate:.1g}; use "
            "method='qr'."
        )
    if method == "hessian" and error_estimate > _LARGE_ERROR_HESSIAN:
        yield (
            "the Hessian is so ill-conditioned that rounding of its entries can change rigidities by "
            f"{error_estimate:.1g} relative; give a regularizer."
        )
