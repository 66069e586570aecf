"""Dense Hessians that are symmetric but for rounding."""

from __future__ import annotations

import numpy as np

from ._arrays import Array

# Asymmetry relative to the largest entry: up to the first it is rounding of float64, up to the second of float32.
_OF_FLOAT64 = 1e-12
_OF_FLOAT32 = 1e-4

_EPSILON = float(np.finfo(np.float64).eps)


def symmetrised(H: Array) -> tuple[Array, float]:
    """H averaged with its transpose where they differ by rounding, and by how much if that is more than float64's.

    Other matrices come back as they are: the core says what is wrong with them.
    """
    difference = float(np.abs(H - H.T).max()) if np.isfinite(H).all() else 0.0
    asymmetry = difference / float(np.abs(H).max()) if difference > 0.0 else 0.0
    if not _OF_FLOAT64 < asymmetry <= _OF_FLOAT32:
        return H, 0.0
    return 0.5 * H + 0.5 * H.T, asymmetry


def about_asymmetry(asymmetry: float, error_estimate: float) -> str:
    """What a user should know of it; `error_estimate` is that of rounding in float64."""
    error = min(error_estimate * asymmetry / _EPSILON, 1.0)
    return (
        f"H is symmetric only to {asymmetry:.1g} of its largest entry, as derivatives in float32 are; it was averaged "
        f"with its transpose, and rigidities may be off by up to {error:.1g} relative: compute it in float64, or give "
        "a larger regularizer."
    )
