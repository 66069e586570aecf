"""Parameters of SOAP from a few numbers, with the defaults of the commands."""

from __future__ import annotations

from typing import Any


def soap_hypers(cutoff: float = 5.0, max_radial: int = 7, max_angular: int = 6, width: float = 0.4) -> dict[str, Any]:
    """Return the hypers for featomic; lengths are in Å."""
    return {
        "cutoff": {"radius": cutoff, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": width},
        "basis": {
            "type": "TensorProduct",
            "max_angular": max_angular,
            "radial": {"type": "Gto", "max_radial": max_radial},
        },
    }
