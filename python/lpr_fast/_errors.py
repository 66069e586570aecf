"""Everything that lpr_fast raises or warns about on purpose."""

from collections.abc import Iterator

# The Gram route warns above this estimated relative error.
LARGE_ERROR = 1e-6

# A dense Hessian is what it is: its rounding is worth a warning where it may leave no digit.
LOST = 0.1


class LprError(Exception):
    """Root of all exceptions of lpr_fast. The message says what was given, what was expected and what to do."""


class InvalidInputError(LprError, ValueError):
    """An argument that cannot be used: a wrong shape or dtype, NaN, a negative weight, bytes that are no state."""


class NotPositiveDefiniteError(LprError, ValueError):
    """A matrix that had to be positive definite and is not, to the precision of float64."""


class MissingPackageError(LprError, ImportError):
    """An optional package that the call needs is not installed."""


class LprWarning(UserWarning):
    """Numbers that are right but need a look: dropped active points, a large estimated rounding error."""


def doubts(*, method: str, n_dropped: int, size: int, error_estimate: float) -> Iterator[str]:
    """What a user should know of a factorisation that succeeded; a NaN stands for no estimate."""
    if n_dropped:
        yield (
            f"{n_dropped} of {size} active points are redundant in float64 and were dropped, because K_MM is singular "
            "to rounding and the training rows do not tell them apart; kept_columns lists the others."
        )
    if method == "gram" and error_estimate > LARGE_ERROR:
        yield (
            f"method='gram' leaves an estimated relative error of up to {error_estimate:.1g} in the rigidities; use "
            "method='qr'."
        )
    if method == "hessian" and error_estimate > LOST:
        yield (
            "the Hessian is so ill-conditioned that rounding its entries alone can move rigidities by "
            f"{error_estimate:.1g} relative; give a regularizer."
        )
