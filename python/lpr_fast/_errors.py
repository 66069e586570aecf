"""Everything that lpr_fast raises or warns about on purpose."""

from collections.abc import Iterator

# The Gram route warns above this estimated relative error.
LARGE_ERROR = 1e-6


class LprError(Exception):
    """Root of all exceptions of lpr_fast. The message says what was given, what was expected and what to do."""


class InvalidInputError(LprError, ValueError):
    """An argument that cannot be used: a wrong shape or dtype, NaN, a negative weight, bytes that are no state."""


class NotPositiveDefiniteError(LprError, ValueError):
    """A matrix that had to be positive definite and is not, to the precision of float64."""


class LprWarning(UserWarning):
    """Numbers that are right but need a look: dropped active points, a large estimated rounding error."""


def doubts(*, n_dropped: int, size: int, error_estimate: float) -> Iterator[str]:
    """What a user should know of a factorisation that succeeded; a NaN stands for no estimate."""
    if n_dropped:
        yield (
            f"{n_dropped} of {size} active points are redundant in float64 and were dropped, because K_MM is singular to "
            "rounding; kept_columns lists the others, and nothing needs to be done."
        )
    if error_estimate > LARGE_ERROR:
        yield (
            f"method='gram' leaves an estimated relative error of {error_estimate:.1g} in the rigidities; use "
            "method='qr'."
        )
