"""The one place where what callers pass becomes arrays that the core takes."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._errors import InvalidInputError

Array = NDArray[np.float64]

_LARGEST_COUNT = 2**31 - 1
_LARGEST_STEP = 2**63 - 1

# What the core takes: squares of larger entries overflow.
LARGEST_ENTRY = 1e140


def _as_array(name: str, value: Any) -> NDArray[Any]:
    """Whatever NumPy makes of it, or an error."""
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidInputError(f"{name} is a masked array; give a plain array, with the masked entries left out.")
    try:
        return np.asarray(value)
    except Exception as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InvalidInputError(f"{name} cannot be made an array ({reason}); give an array of real numbers.") from error


def _as_float64(name: str, value: ArrayLike) -> Array:
    """Float64, C-contiguous and aligned; a copy is made only where one of these is not so already."""
    array = _as_array(name, value)
    if array.dtype == object:
        raise InvalidInputError(
            f"{name} is made of objects ({type(value).__name__}); give an array of real numbers, for a sparse matrix "
            "its .toarray()."
        )
    if not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(
            f"{name} has dtype {array.dtype}, which float64 cannot hold without loss; convert it yourself if that is "
            "what you want."
        )
    return np.require(array, np.float64, ["C_CONTIGUOUS", "ALIGNED"])


def as_matrix(name: str, value: ArrayLike) -> Array:
    """Two dimensions, one row for each item, or an error that says how to get them."""
    array = _as_float64(name, value)
    if array.ndim != 2:
        hint = f"; for a single row give {name}[None, :]" if array.ndim == 1 and array.size else ""
        raise InvalidInputError(
            f"{name} has shape {array.shape}; it must have two dimensions, one row for each item{hint}."
        )
    return array


def as_environments(name: str, value: ArrayLike) -> Array:
    """A matrix, of which a single row may come as a vector."""
    array = _as_float64(name, value)
    return as_matrix(name, array[None, :] if array.ndim == 1 and array.size else array)


def as_self_kernels(name: str, value: ArrayLike, n_rows: int) -> Array:
    """A kernel of each row with itself, from one for each or one for all."""
    array = _as_float64(name, value)
    if array.ndim == 0:
        array = np.full(n_rows, array)
    if array.shape != (n_rows,):
        raise InvalidInputError(
            f"{name} has shape {array.shape}; it must be one number, or one for each of the {n_rows} rows."
        )
    wrong = np.flatnonzero(~((array >= 0.0) & np.isfinite(array)))
    if wrong.size:
        raise InvalidInputError(f"{name} of row {wrong[0]} is {array[wrong[0]]:g}; it must be finite and not negative.")
    return array


def refuse_unusable(name: str, rows: Array) -> None:
    """Throw for rows of environments that the core does not take."""
    if not rows.size or max(rows.max(), -rows.min()) <= LARGEST_ENTRY:  # NaN is neither
        return
    wrong = np.flatnonzero(~(np.abs(rows) <= LARGEST_ENTRY).all(axis=1))
    if wrong.size:
        raise InvalidInputError(
            f"row {wrong[0]} of {name} holds NaN, infinity or an entry above {LARGEST_ENTRY:g}; remove or recompute "
            "that environment."
        )


def as_rows(name: str, value: ArrayLike) -> Array:
    """A matrix with at least one row and one column: the training rows that a constructor takes."""
    array = as_matrix(name, value)
    if array.size == 0:
        raise InvalidInputError(f"{name} has shape {array.shape}; it needs at least one row and one column.")
    return array


def as_square(name: str, value: ArrayLike) -> Array:
    """As many rows as columns, at least one, or an error."""
    array = _as_float64(name, value)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise InvalidInputError(f"{name} has shape {array.shape}; it must be a square matrix.")
    return array


def as_vector(name: str, value: ArrayLike) -> Array:
    """One dimension, or an error."""
    array = _as_float64(name, value)
    if array.ndim != 1:
        raise InvalidInputError(f"{name} has shape {array.shape}; it must have one dimension.")
    return array


def as_columns(value: ArrayLike) -> list[int]:
    """A list of column numbers; boolean masks are refused, because their length would be ambiguous."""
    array = _as_array("columns", value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InvalidInputError(
            f"columns is an array of shape {array.shape} and dtype {array.dtype}; it must be a one-dimensional list of "
            "integers (for a mask give numpy.flatnonzero(mask))."
        )
    return [as_count("a column", column) for column in array]


def as_pairs(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """At least one pair (structure, atom) of integers, in rows."""
    array = _as_array(name, value)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu" or not len(array):
        raise InvalidInputError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; give pairs (structure, atom) of integers."
        )
    return array.astype(np.int64)


def as_integers(name: str, value: ArrayLike, length: int | None = None) -> NDArray[np.int64]:
    """A one-dimensional array of integers, of a given length if there is one, or an error."""
    array = _as_array(name, value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu") or length not in (None, len(array)):
        expected = "integers" if length is None else f"{length} integers"
        raise InvalidInputError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; it must be a one-dimensional array of {expected}."
        )
    if array.size and int(array.max()) > _LARGEST_STEP:
        raise InvalidInputError(f"{name} holds {array.max()}; it must be at most {_LARGEST_STEP}.")
    return array.astype(np.int64)


def as_names(name: str, value: ArrayLike, length: int) -> NDArray[Any]:
    """So many integers or texts, each the name of something, or an error."""
    array = _as_array(name, value)
    if array.shape != (length,) or array.dtype.kind not in "iuUS":
        raise InvalidInputError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; give {length} integers or texts, one for each."
        )
    return array


def as_number(name: str, value: Any) -> float:
    """A real number, or an error."""
    array = _as_array(name, value)
    if array.ndim != 0 or array.dtype == bool or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(f"{name} is {_short(value)}; it must be a real number.")
    return float(array)


def as_step(name: str, value: Any) -> int:
    """An integer of any size that 64 bits hold, or an error."""
    return _as_integer(name, value, _LARGEST_STEP)


def as_count(name: str, value: Any) -> int:
    """An integer of ordinary size, or an error; 3.0 and True are none."""
    return _as_integer(name, value, _LARGEST_COUNT)


def _as_integer(name: str, value: Any, largest: int) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InvalidInputError(f"{name} is {_short(value)}; it must be an integer.")
    if abs(int(value)) > largest:
        raise InvalidInputError(f"{name} is {value}; it must be at most {largest}.")
    return int(value)


def _short(value: Any) -> str:
    """What was given, on one line."""
    return reprlib.repr(value).replace("\n", " ")
