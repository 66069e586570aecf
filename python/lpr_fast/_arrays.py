"""Conversion of arguments to the arrays that the core takes: every check of an array is here."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._errors import InvalidInputError

Array = NDArray[np.float64]

_LARGEST_COUNT = 2**31 - 1
_LARGEST_STEP = 2**63 - 1

# Largest entry that the core takes: sums of squares of larger ones overflow.
LARGEST_ENTRY = 1e140


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Convert by NumPy, with any failure as an `InvalidInputError`."""
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidInputError(f"{name} is a masked array; give a plain array, with the masked entries left out.")
    try:
        return np.asarray(value)
    except Exception as error:
        if _is_one_array_each(value):
            raise InvalidInputError(
                f"{name} is a list of {len(value)} arrays of different lengths; give one array: np.vstack({name}) for "
                f"one row per atom, or np.array([x.sum(axis=0) for x in {name}]) for one row per structure."
            ) from error
        reason = str(error).splitlines()[0].rstrip(".")
        raise InvalidInputError(
            f"{name} cannot be converted to an array ({reason}); give an array of real numbers."
        ) from error


def _is_one_array_each(value: Any) -> bool:
    """Whether each structure has an array of its own, with a row for each of its atoms."""
    return isinstance(value, list | tuple) and all(isinstance(part, np.ndarray) and part.ndim == 2 for part in value)


def _as_float64(name: str, value: ArrayLike) -> Array:
    """Convert to a C-contiguous, aligned float64 array; an array that is one already is not copied."""
    array = as_array(name, value)
    if array.dtype == object:
        raise InvalidInputError(
            f"{name} holds objects ({type(value).__name__}); give an array of real numbers, for a sparse matrix its "
            ".toarray()."
        )
    if not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(
            f"{name} has dtype {array.dtype}, which float64 cannot hold without loss; convert it yourself if the loss "
            "is acceptable."
        )
    return np.require(array, np.float64, ["C_CONTIGUOUS", "ALIGNED"])


def as_matrix(name: str, value: ArrayLike) -> Array:
    """Convert to a matrix; the error for a vector says how to make it one row."""
    array = _as_float64(name, value)
    if array.ndim != 2:
        hint = f"; for a single row give {name}[None, :]" if array.ndim == 1 and array.size else ""
        raise InvalidInputError(
            f"{name} has shape {array.shape}; it must have two dimensions, one row for each item{hint}."
        )
    return array


def as_environments(name: str, value: ArrayLike) -> Array:
    """Convert to a matrix; a vector becomes a single row."""
    array = _as_float64(name, value)
    return as_matrix(name, array[None, :] if array.ndim == 1 and array.size else array)


def as_self_kernels(name: str, value: ArrayLike, n_rows: int) -> Array:
    """Convert to the kernel of each row with itself, (n_rows,), from one number for each row or one for all."""
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
    """Raise for rows of environments with entries that the core does not take."""
    if not rows.size or max(rows.max(), -rows.min()) <= LARGEST_ENTRY:  # false for NaN
        return
    wrong = np.flatnonzero(~(np.abs(rows) <= LARGEST_ENTRY).all(axis=1))
    if wrong.size:
        raise InvalidInputError(
            f"{name} row {wrong[0]} holds NaN, infinity or an entry above 1e140; remove or recompute that environment."
        )


def as_rows(name: str, value: ArrayLike) -> Array:
    """Convert to a matrix with at least one row and one column."""
    array = as_matrix(name, value)
    if array.size == 0:
        raise InvalidInputError(f"{name} has shape {array.shape}; it needs at least one row and one column.")
    return array


def as_square(name: str, value: ArrayLike) -> Array:
    """Convert to a square matrix with at least one row."""
    array = _as_float64(name, value)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise InvalidInputError(f"{name} has shape {array.shape}; it must be a square matrix.")
    return array


def as_vector(name: str, value: ArrayLike) -> Array:
    """Convert to a vector."""
    array = _as_float64(name, value)
    if array.ndim != 1:
        raise InvalidInputError(f"{name} has shape {array.shape}; it must have one dimension.")
    return array


def as_columns(value: ArrayLike) -> list[int]:
    """Convert to a list of column numbers. Boolean masks are refused: their length would be ambiguous."""
    array = as_array("columns", value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InvalidInputError(
            f"columns is an array of shape {array.shape} and dtype {array.dtype}; it must be a one-dimensional list of "
            "integers (for a mask give numpy.flatnonzero(mask))."
        )
    return [as_count("a column", column) for column in array]


def as_pairs(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """Convert to rows of integer pairs (structure, atom), at least one."""
    array = as_array(name, value)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu" or not len(array):
        raise InvalidInputError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; give pairs (structure, atom) of integers."
        )
    return array.astype(np.int64)


def as_integers(name: str, value: ArrayLike, length: int | None = None) -> NDArray[np.int64]:
    """Convert to a one-dimensional array of integers, of the given length if there is one."""
    array = as_array(name, value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu") or length not in (None, len(array)):
        expected = "integers" if length is None else f"{length} integers"
        raise InvalidInputError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; it must be a one-dimensional array of {expected}."
        )
    if array.size and int(array.max()) > _LARGEST_STEP:
        raise InvalidInputError(f"{name} holds {array.max()}; it must be at most {_LARGEST_STEP}.")
    return array.astype(np.int64)


def as_names(name: str, value: ArrayLike, length: int) -> NDArray[Any]:
    """Convert to an array of `length` integers or strings, each the name of something."""
    array = as_array(name, value)
    if array.shape != (length,) or array.dtype.kind not in "iuUS":
        raise InvalidInputError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; give {length} integers or strings, one for each."
        )
    return array


def as_number(name: str, value: Any) -> float:
    """Convert to a real number."""
    array = as_array(name, value)
    if array.ndim != 0 or array.dtype == bool or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(f"{name} is {_short(value)}; it must be a real number.")
    return float(array)


def as_step(name: str, value: Any) -> int:
    """Convert to an integer that 64 bits hold."""
    return _as_integer(name, value, _LARGEST_STEP)


def as_count(name: str, value: Any) -> int:
    """Convert to an integer that 32 bits hold; 3.0 and True are not integers."""
    return _as_integer(name, value, _LARGEST_COUNT)


def _as_integer(name: str, value: Any, largest: int) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InvalidInputError(f"{name} is {_short(value)}; it must be an integer.")
    if abs(int(value)) > largest:
        raise InvalidInputError(f"{name} is {value}; it must be at most {largest}.")
    return int(value)


def _short(value: Any) -> str:
    """Return the value as a short text on one line."""
    return reprlib.repr(value).replace("\n", " ")
