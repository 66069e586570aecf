"""``lpr-fast ensemble``."""

from __future__ import annotations

from pathlib import Path

from .._files import refuse_output
from ..atoms._load import load_model
from ._terminal import tell


def ensemble(model_path: Path, output: Path, *, members: int, seed: int, alpha: float, descriptor: str | None) -> None:
    """Draw members, save and report."""
    refuse_output(output, [model_path])
    model = load_model(model_path, descriptor)
    model.with_ensemble(members, seed=seed, alpha=alpha).save(output)
    is_scaled = model.calibration is not None or model.noise is not None
    times = f"{alpha:g} times " if alpha != 1.0 else ""
    scale = f"{times}sigma (subset of regressors)" if is_scaled else f"that of a prior standard deviation of {alpha:g}"
    tell(f"ensemble  {members} members; their spread is {scale}")
    tell(f"written   {output}")
