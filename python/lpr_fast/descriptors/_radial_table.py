"""Table of radial integrals, for features without featomic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .._arrays import Array
from ._radial_samples import RadialSamples

_DEGREE = 5

# Chebyshev-Lobatto nodes in [-1, 1], so that neighbouring cells share the values at their ends. Errors are measured
# halfway between nodes.
_NODES = np.sin(np.pi * np.arange(-_DEGREE, _DEGREE + 1, 2) / (2 * _DEGREE))
_BETWEEN = np.sin(np.pi * np.arange(1 - _DEGREE, _DEGREE, 2) / (2 * _DEGREE))
_TO_COEFFICIENTS = np.linalg.inv(np.vander(_NODES, increasing=True))
_POWERS_BETWEEN = np.vander(_BETWEEN, _DEGREE + 1, increasing=True)

_WIDEST_CELL = 0.08
_NARROWEST_CELL = 0.005
_LARGEST_TABLE = 2 * 2**20  # bytes: it must fit into the cache
_SMALLEST_ERROR = 16 * np.finfo(float).eps

# Knots at a smaller distance differ by rounding only.
_SAME_KNOT = 1e-9

# Number of distances at which featomic's scatter is measured, and the step to their neighbours: a power of two, so that
# all steps are equal.
_SCATTER_SAMPLES = 512
_SCATTER_STEP = 2.0**-26


@dataclass(frozen=True, eq=False)
class RadialTable:
    """Radial integrals of featomic's spherical expansion as polynomials of degree 5 on cells of the distance.

    c_nlm of a center is the sum over its neighbours within the cutoff radius of ``table_nl(r) Y_lm(r / |r|)`` with
    orthonormal real spherical harmonics; the table includes cutoff function and density scaling.

    Attributes
    ----------
    angular : tuple of int
        The l, ascending.
    n_radial : tuple of int
        Number of radial functions of each l.
    edges : numpy.ndarray, shape (n_cells + 1,)
        Ends of the cells, from 0 to the cutoff radius.
    coefficients : numpy.ndarray, shape (n_cells * 6, K)
        Rows of one cell: coefficients of t^0, t^1, ... t^5, with t = (r - middle) / (half width). Columns: channels in
        the order (l, n), K = sum(n_radial).
    center : numpy.ndarray, shape (n_radial of l = 0,)
        Contribution of an atom to its own c_n00, including Y_00; empty if there is no l = 0.
    error : float
        Largest difference from featomic halfway between the nodes of any cell, in any channel, divided by the largest
        value of all channels at the middles of cells. It includes jumps of featomic's values.
    scatter : float
        Largest difference of a value of featomic from the mean of the two values at +-1.5e-8, in the unit of ``error``.
    """

    angular: tuple[int, ...]
    n_radial: tuple[int, ...]
    edges: Array
    coefficients: Array
    center: Array
    error: float
    scatter: float


@dataclass(frozen=True, eq=False)
class _Segment:
    """An interval in which radial integrals are smooth, in cells of equal width."""

    edges: Array
    coefficients: Array  # (n_cells, 6, K)
    errors: Array  # (n_cells,)

    @property
    def halves(self) -> Array:
        """Edges of cells of half the width."""
        return np.linspace(self.edges[0], self.edges[-1], 2 * len(self.errors) + 1)


def radial_table(hypers: Mapping[str, Any]) -> RadialTable:
    """Sample featomic's radial integrals in cells that are refined as needed.

    Parameters
    ----------
    hypers : mapping
        The result of ``checked_hypers``.

    Raises
    ------
    InvalidInputError
        For hypers that featomic does not accept.
    """
    samples = RadialSamples(hypers)
    breaks = _breaks(samples.radius, hypers["cutoff"]["smoothing"], samples.knots)
    first = [np.linspace(a, b, int(np.ceil((b - a) / _WIDEST_CELL)) + 1) for a, b in pairwise(breaks)]
    segments = _refined(samples, _segments(samples, first))
    coefficients = np.concatenate([segment.coefficients for segment in segments])
    scale = _scale(segments)
    return RadialTable(
        angular=samples.angular,
        n_radial=samples.n_radial,
        edges=np.concatenate([[0.0], *(segment.edges[1:] for segment in segments)]),
        coefficients=coefficients.reshape(-1, coefficients.shape[2]),
        center=samples.center,
        error=max(float(segment.errors.max()) for segment in segments) / scale,
        scatter=_scatter(samples) / scale,
    )


def _breaks(radius: float, smoothing: Mapping[str, Any], knots: Sequence[float]) -> list[float]:
    """Return the distances at which a derivative jumps, from 0 to the radius."""
    inner = sorted([*knots, radius - smoothing.get("width", 0.0)])
    breaks = [0.0]
    for distance in inner:
        if breaks[-1] + _SAME_KNOT < distance < radius - _SAME_KNOT:
            breaks.append(distance)
    return [*breaks, radius]


def _refined(samples: RadialSamples, segments: list[_Segment]) -> list[_Segment]:
    """Halve the cells of segments as long as errors fall and the table is not too large."""
    smallest_error = _SMALLEST_ERROR * _scale(segments)
    most_cells = _LARGEST_TABLE // segments[0].coefficients[0].nbytes
    open_ = [i for i, segment in enumerate(segments) if _may_be_halved(segment, smallest_error)]
    while open_:
        if sum(len(segment.errors) for segment in segments) + sum(len(segments[i].errors) for i in open_) > most_cells:
            break
        finer = _segments(samples, [segments[i].halves for i in open_])
        helped = [(i, segment) for i, segment in zip(open_, finer, strict=True) if _helps(segments[i], segment)]
        for i, segment in helped:
            segments[i] = segment
        open_ = [i for i, segment in helped if _may_be_halved(segment, smallest_error)]
    return segments


def _may_be_halved(segment: _Segment, smallest_error: float) -> bool:
    return bool(segment.errors.max() > smallest_error and np.diff(segment.edges).min() >= 2 * _NARROWEST_CELL)


def _helps(coarse: _Segment, fine: _Segment) -> bool:
    """Return whether the error falls to a quarter (for a smooth function it falls to a 64th).

    The largest error is compared, and the 90 % quantile, because featomic's values jump at some distances.
    """
    quantiles = (0.9, 1.0)
    return bool((np.quantile(fine.errors, quantiles) < 0.25 * np.quantile(coarse.errors, quantiles)).any())


def _segments(samples: RadialSamples, edges: Sequence[Array]) -> list[_Segment]:
    """Return polynomials through the nodes of all cells, and their errors between the nodes."""
    left, right = np.concatenate([e[:-1] for e in edges]), np.concatenate([e[1:] for e in edges])
    middle, half = 0.5 * (left + right)[:, None], 0.5 * (right - left)[:, None]
    nodes = middle + half * _NODES
    nodes[:, 0], nodes[:, -1] = left, right
    distances, place = np.unique(np.hstack([nodes, middle + half * _BETWEEN]), return_inverse=True)
    values = samples(distances)[place.reshape(len(left), -1)]
    at_nodes, between = values[:, : _DEGREE + 1], values[:, _DEGREE + 1 :]
    coefficients = _sums(_TO_COEFFICIENTS, at_nodes)
    errors = np.abs(_sums(_POWERS_BETWEEN, coefficients) - between).max(axis=(1, 2))
    cuts = np.cumsum([len(e) - 1 for e in edges])[:-1]
    parts = zip(edges, np.split(coefficients, cuts), np.split(errors, cuts), strict=True)
    return [_Segment(*part) for part in parts]


def _sums(factors: Array, values: Array) -> Array:
    """Return the matrix products for all cells, in a fixed order without BLAS, so that threads do not change bits."""
    total = factors[:, 0, None] * values[:, None, 0]
    for j in range(1, factors.shape[1]):
        total += factors[:, j, None] * values[:, None, j]
    return total


def _scale(segments: Sequence[_Segment]) -> float:
    """Return the largest value at the middles of cells, or 1 if all are zero."""
    return max(float(np.abs(segment.coefficients[:, 0]).max()) for segment in segments) or 1.0


def _scatter(samples: RadialSamples) -> float:
    spread = np.linspace(0.0, samples.radius, _SCATTER_SAMPLES + 2)[1:-1]
    middle = np.round(spread / _SCATTER_STEP) * _SCATTER_STEP
    below, at, above = np.split(samples(np.concatenate([middle - _SCATTER_STEP, middle, middle + _SCATTER_STEP])), 3)
    return float(np.abs(at - 0.5 * (below + above)).max())
