"""Everything that lpr_fast raises or warns about on purpose."""


class LprError(Exception):
    """Root of all exceptions of lpr_fast. The message says what was given, what was expected and what to do."""


class InvalidInputError(LprError, ValueError):
    """An argument that cannot be used: a wrong shape or dtype, NaN, a negative weight, bytes that are no state."""


class NotPositiveDefiniteError(LprError, ValueError):
    """A matrix that had to be positive definite and is not, to the precision of float64."""


class LprWarning(UserWarning):
    """Numbers that are right but need a look: dropped active points, a large estimated rounding error."""
