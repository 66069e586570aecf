"""Lines about a model whose labels have noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._stored_model import StoredModel

# Ratio of the actual to the assumed deviation of labels, above which (or below its inverse) a line says so.
_FAR_OFF = 2.0

_UNITS = {"energy": "eV", "force": "eV/Å", "virial": "eV"}
_COUNTED = {"energy": "energies", "force": "force components", "virial": "virial components"}


def noise_lines(model: StoredModel) -> Iterator[str]:
    """Numbers of labels, their noise, and the prior; no lines for models without noise."""
    noise, facts = model.noise, model.provenance
    if noise is None:
        return
    counts = facts["n_labels"]
    said = facts.get("noise", noise | {"convention": "plain"})
    shown = [f"{counts[kind]} {name}{_sigma(said, kind)}" for kind, name in _COUNTED.items() if counts[kind]]
    yield f"labels    {', '.join(shown)}"
    delta = (noise["prior_variance"] or 0.0) ** 0.5
    yield f"prior     standard deviation of a local energy, delta = {delta:.4g} eV{_choice(facts)}"
    if model.calibration is None:
        yield (
            "sigma     of a local energy is LPR^-0.5 in eV; it is only as good as the sigmas of the labels and delta: "
            "check it, see calibrate"
        )


def _sigma(noise: Mapping[str, Any], kind: str) -> str:
    sigma = noise[kind]
    if not isinstance(sigma, float):
        return " (each with its own sigma)"
    grows = noise["convention"] == "gap" and kind != "force"
    return f" (sigma {sigma:g} {_UNITS[kind]}{' times the square root of the number of atoms' * grows})"


def _choice(facts: Mapping[str, Any]) -> str:
    """How delta was chosen, and whether the sigmas of the labels fit to the data."""
    choice = facts.get("delta_choice")
    if choice is None:
        return ""
    if "interval" not in choice:
        return f", by {choice['by']}"
    low, high = choice["interval"]
    found, factor = f", by maximum evidence ({low:.3g} to {high:.3g})", choice["sigma_factor"]
    if factor is None:
        return f"{found}; there are too few labels to check their sigmas"
    if factor > _FAR_OFF:
        return (
            f"{found}; the labels deviate {factor:.2g} times as much as their sigmas say: use a better model (more "
            "active environments, a larger cutoff) or larger sigmas"
        )
    if factor < 1.0 / _FAR_OFF:
        return f"{found}; the labels deviate {1.0 / factor:.2g} times less than their sigmas say: use smaller sigmas"
    return found
