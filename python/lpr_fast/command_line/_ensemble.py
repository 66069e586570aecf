"""``lpr-fast ensemble``."""

from __future__ import annotations

from pathlib import Path

from .._files import refuse_output
from ..atoms._load import load_model
from ..descriptors._imported import imported
from ._terminal import tell


def ensemble(model_path: Path, output: Path, *, members: int, seed: int, alpha: float, descriptor: str | None) -> None:
    """Draw members, save, and say what came of it."""
    refuse_output(output, [model_path])
    model = load_model(model_path, None if descriptor is None else imported(descriptor))
    model.with_ensemble(members, seed=seed, alpha=alpha).save(output)
    is_scaled = model.calibration is not None or model.noise is not None
    unit = "sigma of the subset of regressors" if is_scaled else f"a prior standard deviation of {alpha:g}"
    times = f"{alpha:g} times " if is_scaled and alpha != 1.0 else ""
    tell(f"ensemble  {members} members, which spread by {times}{unit}")
    tell(f"written   {output}")
