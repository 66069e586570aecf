"""What rows of data would do to the forms f = |z|^2 of targets, in the coordinates of `_whitening`.

With the rows Z of a block, f becomes z^T (I + Z^T Z)^-1 z = f - |C^-1 Z z|^2 with C C^T = I + Z Z^T. Where the two
terms nearly cancel, it is |z - Z^T a|^2 + |a|^2 with a = (I + Z Z^T)^-1 Z z: a sum of squares, the least of any a.
"""

from __future__ import annotations

import numpy as np

from .._arrays import Array
from ._whitening import products, squares

# Where less than such a share of a form is left, the difference has lost digits.
_CANCELS = 1e-3


def forms_after(targets: Array, block: Array, n_threads: int) -> Array:
    """Forms of targets, (n, r), when the rows of a block, (k, r), are data too: (n,)."""
    inverse = np.linalg.inv(np.linalg.cholesky(np.eye(len(block)) + products(block, block, n_threads)))
    along = products(products(targets, block, n_threads), inverse, n_threads)
    before = squares(targets)
    after = before - squares(along)
    lost = np.flatnonzero(after < _CANCELS * before)
    if lost.size:
        a = products(along[lost], inverse.T, n_threads)
        after[lost] = squares(targets[lost] - products(a, block.T, n_threads)) + squares(a)
    return after
