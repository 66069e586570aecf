"""Accumulation of training rows, block by block."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._arrays import LARGEST_ENTRY, Array, as_count, as_matrix, as_vector
from ._errors import InvalidInputError
from ._progress import Progress, reported_slices

Method = Literal["qr", "gram"]


class HessianAccumulator:
    r"""Sum of training rows for the Hessian, :math:`\sum_A w_A X_A X_A^T`, from blocks of any size.

    Use it when the rows do not fit into memory, or come from several processes. Memory is of order M^2, whatever the
    number of rows. The result has the same bits however the rows are divided among `add` calls, and for any number of
    threads. Objects can be pickled, and merged across processes. An interrupt (Ctrl-C) takes effect when the current
    call has ended; its rows have been added then.

    Parameters
    ----------
    size : int
        M, the number of weights of the model and of columns of the rows.
    method : {"qr", "gram"}
        ``"qr"`` keeps a square root by QR of rows in decreasing norm (Cox and Higham, 1998): as accurate as the inputs
        allow. ``"gram"`` forms the sum itself, in a seventh (200 columns) to a quarter (1000) of the time, for
        well-conditioned problems; the `Rigidity` built from it estimates its own error.
    labelled : bool
        Whether rows come with targets, from which `Rigidity.weights` follow. Targets cost almost nothing, and
        rigidities have the same bits with and without them.

    Raises
    ------
    InvalidInputError
        If `size` is not a positive integer or `method` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from lpr_fast import HessianAccumulator, Rigidity
    >>> rng = np.random.default_rng(seed=0)
    >>> accumulator = HessianAccumulator(size=3)
    >>> for _ in range(4):
    ...     accumulator.add(rng.normal(size=(25, 3)))
    >>> accumulator
    HessianAccumulator(3, method='qr', n_rows=100)
    >>> Rigidity.from_accumulator(accumulator, regularizer=1e-6).lpr(np.eye(3)).shape
    (3,)
    """

    def __init__(self, size: int, method: Method = "qr", *, labelled: bool = False) -> None:
        if not isinstance(method, str):
            raise InvalidInputError(f"method is {method!r}; it must be 'qr' or 'gram'.")
        self._core = _core.HessianAccumulator(as_count("size", size), method, labelled)

    def add(
        self,
        rows: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        targets: ArrayLike | None = None,
        n_threads: int = 0,
    ) -> None:
        """Add rows. The accumulator does not change if this raises.

        Parameters
        ----------
        rows : array_like, shape (n, M)
            Sums of phi over the atoms of each structure (or force or virial rows); n may be zero.
        weights : array_like, shape (n,), optional
            Weight of each row's squared residual, not negative: 1 (the default) for a loss on total energies, 1/N_A^2
            for a loss on energies per atom.
        targets : array_like, shape (n,), optional
            Reference value of each row, in the unit of the predictions. Needed with ``labelled=True``, otherwise not
            allowed.
        n_threads : int
            Number of threads; 0 means ``OMP_NUM_THREADS``, or all cores that the process may use.

        Raises
        ------
        InvalidInputError
            For shapes that do not fit, and for NaN, infinity and negative weights; the message names the row.
        """
        row_array = as_matrix("rows", rows)
        weight_array = None if weights is None else as_vector("weights", weights)
        target_array = None if targets is None else as_vector("targets", targets)
        self._core.add(row_array, target_array, weight_array, as_count("n_threads", n_threads))

    def merge(self, other: HessianAccumulator, *, n_threads: int = 0) -> None:
        """Add all rows of another accumulator.

        With ``method="qr"`` the result has the bits of one accumulator that got all rows in this order if `n_rows` of
        this one is a multiple of `leaf_rows` times a power of two not smaller than the number of leaves in `other`.

        Parameters
        ----------
        other : HessianAccumulator
            An accumulator of the same size and method; it is not changed.
        n_threads : int
            As in `add`.

        Raises
        ------
        InvalidInputError
            If the two differ in size or method, or if only one has targets.
        """
        if not isinstance(other, HessianAccumulator):
            raise InvalidInputError(f"other is a {type(other).__name__}; it must be a HessianAccumulator.")
        self._core.merge(other._core, as_count("n_threads", n_threads))

    @property
    def size(self) -> int:
        """M, the number of columns of the rows."""
        return self._core.size

    @property
    def n_rows(self) -> int:
        """Number of rows added so far, including those of merged accumulators."""
        return self._core.n_rows

    @property
    def method(self) -> Method:
        """The method: ``"qr"`` or ``"gram"``."""
        return "gram" if self._core.method == "gram" else "qr"

    @property
    def is_labelled(self) -> bool:
        """Whether rows come with targets."""
        return self._core.is_labelled

    @property
    def n_weighted(self) -> int:
        """Number of rows whose weight is not zero."""
        return self._core.n_weighted

    @property
    def sum_log_weights(self) -> float:
        """Sum of the logarithms of the weights that are not zero."""
        return self._core.sum_log_weights

    @property
    def rest_norm(self) -> float:
        r"""Norm of the targets that no weights c fit: the smallest sqrt(sum_A w_A (y_A - X_A . c)^2).

        With ``method="qr"`` it is accurate to rounding of the targets. With ``"gram"`` it is the difference of two sums
        of squares, and below 10^-8 times the norm of the targets it is noise.

        Raises
        ------
        InvalidInputError
            If rows come without targets.
        """
        return self._core.rest_norm(0)

    @property
    def leaf_rows(self) -> int:
        """Number of rows that are reduced together; see `merge`."""
        return self._core.leaf_rows

    def to_bytes(self) -> bytes:
        """Return the whole state, for files or for messages between processes."""
        return self._core.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> HessianAccumulator:
        """Return the accumulator that `to_bytes` wrote.

        Parameters
        ----------
        data : bytes
            The bytes from `to_bytes`.

        Returns
        -------
        HessianAccumulator

        Raises
        ------
        InvalidInputError
            For bytes that are truncated, changed, or not from `to_bytes`.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidInputError(f"data is a {type(data).__name__}; it must be the bytes that to_bytes() returned.")
        accumulator = cls.__new__(cls)
        accumulator._core = _core.HessianAccumulator.from_bytes(bytes(data))
        return accumulator

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"HessianAccumulator({self.size}, method={self.method!r}, n_rows={self.n_rows})"


def accumulate_rows(
    rows: Array,
    weights: ArrayLike | None,
    targets: ArrayLike | None,
    method: Method,
    n_threads: int,
    progress: Progress,
) -> HessianAccumulator:
    """Return an accumulator of all training rows of a model."""
    accumulator = HessianAccumulator(rows.shape[1], method, labelled=targets is not None)
    w = None if weights is None else as_vector("weights", weights)
    y = None if targets is None else as_vector("targets", targets)
    given = [rows, *(values for values in (w, y) if values is not None)]
    is_usable = all(len(values) == len(rows) and np.abs(values).max() <= LARGEST_ENTRY for values in given)
    step = accumulator.leaf_rows if is_usable else len(rows)  # one call, so that the error names the right row
    for part in reported_slices("rows", len(rows), step, progress):
        accumulator.add(
            rows[part],
            None if w is None else w[part],
            targets=None if y is None else y[part],
            n_threads=n_threads,
        )
    return accumulator


# Of a factor: what makes its triangle, and what it holds.
