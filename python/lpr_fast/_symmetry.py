"""Dense Hessians that are symmetric except for rounding."""

from __future__ import annotations

import numpy as np

from ._arrays import Array

# Largest asymmetry, relative to the largest entry, that counts as rounding in float64 and in float32.
_OF_FLOAT64 = 1e-12
_OF_FLOAT32 = 1e-4

_EPSILON = float(np.finfo(np.float64).eps)


def symmetrised(H: Array) -> tuple[Array, float]:
    """Return H averaged with its transpose, and its asymmetry, if that is rounding of float32; otherwise H and 0.

    Matrices with a larger asymmetry are returned unchanged: the core raises for them.
    """
    difference = float(np.abs(H - H.T).max()) if np.isfinite(H).all() else 0.0
    asymmetry = difference / float(np.abs(H).max()) if difference > 0.0 else 0.0
    if not _OF_FLOAT64 < asymmetry <= _OF_FLOAT32:
        return H, 0.0
    return 0.5 * H + 0.5 * H.T, asymmetry


def asymmetry_warning(asymmetry: float, error_estimate: float) -> str:
    """Return the warning about an asymmetry; `error_estimate` is that for rounding in float64."""
    error = min(error_estimate * asymmetry / _EPSILON, 1.0)
    return (
        f"H is symmetric only to {asymmetry:.1g} of its largest entry, like derivatives in float32, and was averaged "
        f"with its transpose; rigidities may have relative errors of up to {error:.1g}: compute H in float64, or give "
        "a larger regularizer."
    )
