"""Parameters of SOAP from a few numbers: those that commands use where nothing else is said."""

from __future__ import annotations

from typing import Any


def soap_hypers(cutoff: float = 5.0, max_radial: int = 7, max_angular: int = 6, width: float = 0.4) -> dict[str, Any]:
    """The dictionary that featomic takes."""
    return {
        "cutoff": {"radius": cutoff, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": width},
        "basis": {
            "type": "TensorProduct",
            "max_angular": max_angular,
            "radial": {"type": "Gto", "max_radial": max_radial},
        },
    }
