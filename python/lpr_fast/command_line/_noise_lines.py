"""What commands say of a model whose labels have noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..atoms._model import StructureModel

# Labels that are farther off than sigma says, by more than such a factor, are told of.
_FAR_OFF = 2.0

_UNITS = {"energy": "eV", "force": "eV/Å", "virial": "eV"}
_COUNTED = {"energy": "energies", "force": "components of forces", "virial": "components of virials"}


def noise_lines(model: StructureModel) -> Iterator[str]:
    """Numbers of labels and their noise; none for models without."""
    noise, facts = model.noise, model.provenance
    if noise is None:
        return
    counts = facts["n_labels"]
    said = facts.get("noise", noise | {"convention": "plain"})
    shown = [f"{counts[kind]} {name}{_sigma(said, kind)}" for kind, name in _COUNTED.items() if counts[kind]]
    yield f"labels    {', '.join(shown)}"
    yield f"prior     delta = {(noise['prior_variance'] or 0.0) ** 0.5:.4g} eV{_choice(facts)}"
    if model.calibration is None:
        yield "sigma     of local energies is LPR^-0.5 in eV: as right as sigmas and delta are; calibrate to check"


def _sigma(noise: Mapping[str, Any], kind: str) -> str:
    sigma = noise[kind]
    if not isinstance(sigma, float):
        return " (each with its own sigma)"
    grows = noise["convention"] == "gap" and kind != "force"
    return f" (sigma {sigma:g} {_UNITS[kind]}{' times the root of the number of atoms' * grows})"


def _choice(facts: Mapping[str, Any]) -> str:
    """How delta came to be, and what it says of the sigmas."""
    choice = facts.get("delta_choice")
    if choice is None:
        return ""
    if "interval" not in choice:
        return f" by {choice['by']}"
    low, high = choice["interval"]
    found, factor = f" by evidence ({low:.3g} to {high:.3g})", choice["sigma_factor"]
    if factor is None:
        return f"{found}; there are too few labels to say whether sigmas are right"
    if factor > _FAR_OFF:
        return (
            f"{found}; labels are {factor:.2g} times as far off as sigma says: a better model (a larger --n-active or "
            "--cutoff), or larger sigmas"
        )
    if factor < 1.0 / _FAR_OFF:
        return f"{found}; labels are {1.0 / factor:.2g} times closer than sigma says: sigmas may be smaller"
    return found
