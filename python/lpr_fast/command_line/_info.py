"""``lpr-fast info``, and lines about a model that other commands print too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._cpu import cpu_info
from .._words import counted
from ..atoms._load import load_model
from ..atoms._model import StructureModel
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..descriptors._elements import symbol, symbols
from ..models._scores import LOSS_NAMES
from ._calibration_lines import calibration_lines
from ._noise_lines import noise_lines
from ._split import split_lines
from ._tune import choice_lines, regularizer_text

# With fewer environments of a species, percentiles are coarser than one percent.
_FEW = 100

# Training residuals above this are more than a tenth of the prior variance.
_BLIND = 0.1


def info(path: Path) -> None:
    """Print the content of a model file."""
    model = load_model(path)
    facts = model.provenance
    training = training_line(facts)
    if "n_rows" in facts:
        training = f"{counted(facts['n_rows'], 'row')} of another program"
    if "training_file" in facts:
        source, digest = facts.get("training_selection", facts["training_file"]), facts.get("training_sha256", "?")
        digests = ", ".join(f"{one[:16]}..." for one in digest.split(", "))
        training += f", from {source} (sha256 {digests})"
    print(f"model     {path}, {path.stat().st_size / 1e6:.1f} MB, by lpr_fast {facts.get('lpr_fast_version', '?')}")
    print(f"kind      {type(model).__name__}, species {symbols(model.species)}")
    print(f"training  {training}")
    if isinstance(model, SparseKernelModel):
        print(f"active    {active_set_line(model)}")
        print(f"kernel    (x . x')^{model.zeta:g} of normalised features; zero between different species")
    print(f"rigidity  {rigidity_line(model)}, condition number of R {model.rigidity.condition_number:.1e}")
    if blind := blind_line(model):
        print(blind)
    if few := few_line(model):
        print(few)
    for line in [*split_lines(model), *choice_lines(facts), *noise_lines(model)]:
        print(line)
    if model.baseline is None:
        print("energies  none")
    else:
        baseline = ", ".join(f"{symbol(s)} {energy:.6g}" for s, energy in model.baseline.items())
        source = f"from {facts['energy_key']!r}; " if "energy_key" in facts else ""
        print(f"energies  {source}baseline per atom: {baseline}")
    if model.noise is None or model.calibration is not None:
        for line in calibration_lines(model):
            print(line)
    if model.n_members:
        name = "ensemble" if "ensemble" in facts else "committee"
        print(f"{name:9} {model.n_members} members; scores contain the spread of their local energies")
    instructions = cpu_info()
    print(f"processor {instructions.instruction_set} (available: {', '.join(instructions.available)})")
    if model.hypers is None:
        print(f"features  {model.n_features}, from another program: the model was built from arrays")
    else:
        print(f"features  {model.n_features}, SOAP power spectrum")
        print(f"radial    {table_line(model)}")
        print("hypers")
        print(json.dumps(model.hypers, indent=2))


def training_line(facts: Mapping[str, Any]) -> str:
    """Numbers of structures and atoms in the training set."""
    if "n_structures" not in facts:
        return "unknown"
    line = f"{counted(facts['n_structures'], 'structure')}, {counted(facts['n_environments'], 'atom')}"
    if count := facts.get("n_unlabelled"):
        line += f"; {count} of the structures have no energy"
    if count := facts.get("n_zero_weight"):
        line += f"; {count} more have zero weight and were ignored"
    return line


def table_line(model: StructureModel) -> str:
    """Origin and accuracy of the radial integrals."""
    facts = model.descriptor
    assert facts is not None
    return (
        f"integrals of featomic {facts.get('featomic_version', '?')}, tabulated to {facts['error']:.0e} of the largest "
        f"(featomic's own scatter: {facts['scatter']:.0e})"
    )


def active_set_line(model: SparseKernelModel) -> str:
    """Number of active environments of each species, and how they were chosen."""
    counts = ", ".join(f"{symbol(s)} {len(features)}" for s, features in model.active_features.items())
    facts = model.provenance
    line = f"{model.rigidity.size} environments ({counts}), {facts.get('active_set', 'of unknown origin')}"
    if "active_set_file" in facts:
        line += f" ({facts['active_set_file']}, sha256 {facts['active_set_sha256'][:16]}...)"
    if "pool" in facts:
        line += f" from a pool of {sum(facts['pool'].values())}, seed {facts.get('seed')}"
    if "active_from" in facts:
        line += f"; {_number_elsewhere(model)} of them from {facts['active_from']['n_structures']} further structures"
        line += f", {facts['active_from_file']}" if "active_from_file" in facts else ""
    if model.rigidity.n_dropped:
        line += f"; {model.rigidity.n_dropped} redundant ones were dropped"
    return line


def _number_elsewhere(model: SparseKernelModel) -> int:
    """Number of active environments from outside the training set."""
    places = model.active_environments
    return 0 if places is None else int((places[:, 0] < 0).sum())


def few_line(model: StructureModel) -> str | None:
    """A warning about species with few training environments."""
    counts = model.provenance.get("environments", {})
    few = [f"{symbol(int(s))} ({count})" for s, count in counts.items() if count < _FEW]
    if not few or not model.has_reference:
        return None
    return (
        f"few       training atoms of {', '.join(few)}: their percentile, verdict and lpr_held are unreliable; read lpr"
    )


def rigidity_line(model: StructureModel) -> str:
    """Regularizer, how it was chosen, and loss."""
    choice = regularizer_text(model.provenance.get("regularizer_choice", {}))
    mu = f"{model.regularizer:.3g}" if choice else f"{model.regularizer:g}"
    return f"mu = {mu}{choice}; loss on {LOSS_NAMES[model.loss]}"


def blind_line(model: StructureModel) -> str | None:
    """A warning about species for which the active set misses environments of the training set."""
    limits = model.verdict_limits
    if limits is None or not isinstance(model, SparseKernelModel):
        return None
    residuals = {s: model.training_quantile("residual", limits["unlike"] / 100.0, s) for s in model.species}
    blind = [f"{residual:.2g} ({symbol(s)})" for s, residual in residuals.items() if residual > _BLIND]
    if not blind:
        return None
    return (
        f"blind     the active set is too small: residuals in the training set reach {', '.join(blind)}, and atoms "
        "with "
        "smaller residuals are never unlike; use a larger --n-active"
    )
