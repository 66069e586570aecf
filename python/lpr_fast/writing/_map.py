"""A map of environments: kernel principal components, for each species separately."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import MissingPackageError

N_COMPONENTS = 3

# Decimals of coordinates: smaller digits are rounding errors of the kernels, which are at most 1.
_DECIMALS = 7

# Free space between the maps of two species, in widths of the first.
_GAP = 0.25


def check_packages() -> None:
    """Raise if scikit-learn is missing, before the run; it is imported later, for the map."""
    if find_spec("sklearn") is None:
        raise _missing("there is no package sklearn")


def kernel_map(features: Array, numbers: NDArray[Any], zeta: float) -> Array:
    """Leading kernel principal components: (n, D) -> (n, 3).

    Kernels are (x . x')^zeta of normalised features, with zeta rounded to a whole number of at least 1: other powers
    may be indefinite. Each species has a separate map around zero. Missing components are zero.

    The bits are the same in any process: the core computes the kernels, and LAPACK uses one thread. In each component,
    the coordinate with the largest magnitude is positive.
    """
    coordinates = np.zeros((len(features), N_COMPONENTS))
    for s in np.unique(numbers):
        rows = np.flatnonzero(numbers == s)
        coordinates[rows] = _of_one_species(features[rows], max(1.0, float(np.round(zeta))))
    return coordinates


def side_by_side(coordinates: Array, numbers: NDArray[Any]) -> Array:
    """First coordinates (n,) with the map of each species to the right of those before it."""
    found = coordinates[:, 0].copy()
    edge = None
    for s in np.unique(numbers):
        rows = numbers == s
        left, right = found[rows].min(), found[rows].max()
        shift = 0.0 if edge is None else edge - left
        found[rows] += shift
        edge = right + shift + _GAP * (right - left)
    return found.round(_DECIMALS)


def _of_one_species(features: Array, zeta: float) -> Array:
    from threadpoolctl import threadpool_limits

    rows = _core.normalised(np.ascontiguousarray(features), 0)
    kernels = _core.kernel_rows(rows, rows, zeta, 0)
    n_found = min(N_COMPONENTS, len(rows))
    pca = _kernel_pca()(n_components=n_found, kernel="precomputed", eigen_solver="dense", copy_X=False)
    with threadpool_limits(limits=1):
        found = np.asarray(pca.fit_transform((kernels + kernels.T) / 2.0))
    coordinates = np.zeros((len(rows), N_COMPONENTS))
    coordinates[:, : found.shape[1]] = found
    return coordinates.round(_DECIMALS) + 0.0  # no negative zeros


def _kernel_pca() -> Any:
    try:
        from sklearn.decomposition import KernelPCA
    except ImportError as error:
        raise _missing(str(error)) from error
    return KernelPCA


def _missing(reason: str) -> MissingPackageError:
    return MissingPackageError(
        f"maps of environments need scikit-learn ({reason}); install it with: pip install 'lpr-fast[view]'"
    )
