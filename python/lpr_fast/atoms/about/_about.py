"""What a model says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..._species import symbol
from ..._words import agreeing, counted
from ...models._scores import LOSS_NAMES
from ._calibration_lines import calibration_lines
from ._choice_lines import choice_lines, regularizer_text
from ._noise_lines import noise_lines
from ._split_lines import split_lines

if TYPE_CHECKING:
    from .._stored_model import StoredModel

# With fewer environments of a species, percentiles are coarser than one percent.
_FEW = 100

# Training residuals above this are more than a tenth of the prior variance.
_BLIND = 0.1


def about(model: StoredModel) -> Iterator[str]:
    """Lines about a model: a word in the first ten characters, then text; they warn of what makes scores unreliable."""
    facts = model.provenance
    yield f"kind      {type(model).__name__}, species {', '.join(map(symbol, model.species))}"
    yield f"training  {_training_and_source(facts)}"
    if model.active_features is not None:
        yield f"active    {active_set_line(model)}"
        yield f"kernel    (x . x')^{model.kernel_power:g} of normalised features; zero between different species"
    yield f"rigidity  {rigidity_line(model)}, condition number of R {model.rigidity.condition_number:.1e}"
    yield from filter(None, (blind_line(model), few_line(model)))
    yield from split_lines(model)
    yield from choice_lines(facts)
    yield from noise_lines(model)
    yield f"energies  {_energies_line(model)}"
    if model.noise is None or model.calibration is not None:
        yield from calibration_lines(model)
    if model.n_members:
        name = "ensemble" if "ensemble" in facts else "committee"
        yield f"{name:9} {counted(model.n_members, 'member')}; scores contain the spread of their local energies"
    yield from _features_lines(model)


def _training_and_source(facts: Mapping[str, Any]) -> str:
    """The training set, and the files that it comes from if they are known."""
    training = training_line(facts)
    if "n_rows" in facts:
        training = f"{counted(facts['n_rows'], 'row')} of another program"
    if "training_file" not in facts:
        return training
    source, digest = facts.get("training_selection", facts["training_file"]), facts.get("training_sha256", "?")
    digests = ", ".join(f"{one[:16]}..." for one in digest.split(", "))
    return f"{training}, from {source} (sha256 {digests})"


def _energies_line(model: StoredModel) -> str:
    """Name and baseline of the energies."""
    if model.baseline is None:
        return "none"
    key = model.provenance.get("energy_key")
    baseline = ", ".join(f"{symbol(s)} {energy:.6g}" for s, energy in model.baseline.items())
    return f"{'' if key is None else f'from {key!r}; '}baseline per atom: {baseline}"


def _features_lines(model: StoredModel) -> Iterator[str]:
    """Number and origin of the features."""
    facts = model.descriptor
    if facts is None:
        yield f"features  {model.n_features}, from another program: the model was built from arrays"
    elif facts["kind"] == "soap":
        yield f"features  {model.n_features}, SOAP power spectrum"
        yield f"radial    {_table_line(facts)}"
    elif facts["kind"] == "array":
        yield f"features  {model.n_features}, the array {facts['name']!r} of the structures"
    else:
        yield f"features  {model.n_features}, of the descriptor {facts['name']!r}, which is not in the file"


def _table_line(facts: Mapping[str, Any]) -> str:
    """Origin and accuracy of the radial integrals."""
    return (
        f"integrals of featomic {facts.get('featomic_version', '?')}, tabulated to {facts['error']:.0e} of the largest "
        f"(featomic's own scatter: {facts['scatter']:.0e})"
    )


def training_line(facts: Mapping[str, Any]) -> str:
    """Numbers of structures and atoms in the training set."""
    if "n_structures" not in facts:
        return "unknown"
    line = f"{counted(facts['n_structures'], 'structure')}, {counted(facts['n_environments'], 'atom')}"
    if count := facts.get("n_unlabelled"):
        line += f"; {count} of the structures {agreeing(count, 'has', 'have')} no energy"
    if count := facts.get("n_zero_weight"):
        line += f"; {count} more of zero weight {agreeing(count, 'was', 'were')} ignored"
    return line


def active_set_line(model: StoredModel) -> str:
    """Number of active environments of each species, and how they were chosen."""
    assert model.active_features is not None
    counts = ", ".join(f"{symbol(s)} {len(features)}" for s, features in model.active_features.items())
    facts = model.provenance
    line = f"{counted(model.rigidity.size, 'environment')} ({counts}), {facts.get('active_set', 'of unknown origin')}"
    if "active_set_file" in facts:
        line += f" ({facts['active_set_file']}, sha256 {facts['active_set_sha256'][:16]}...)"
    if "pool" in facts:
        line += f" from a pool of {sum(facts['pool'].values())}, seed {facts.get('seed')}"
    if "active_from" in facts:
        line += (
            f"; {_number_elsewhere(model)} of them from "
            f"{counted(facts['active_from']['n_structures'], 'further structure')}"
        )
        line += f", {facts['active_from_file']}" if "active_from_file" in facts else ""
    if model.rigidity.n_dropped:
        line += (
            f"; {counted(model.rigidity.n_dropped, 'redundant one')} "
            f"{agreeing(model.rigidity.n_dropped, 'was', 'were')} dropped"
        )
    return line


def _number_elsewhere(model: StoredModel) -> int:
    """Number of active environments from outside the training set."""
    places = model.active_environments
    return 0 if places is None else int((places[:, 0] < 0).sum())


def few_line(model: StoredModel) -> str | None:
    """A warning about species with few training environments."""
    counts = model.provenance.get("environments", {})
    few = [f"{symbol(int(s))} ({count})" for s, count in counts.items() if count < _FEW]
    if not few or not model.has_reference:
        return None
    return (
        f"few       training atoms of {', '.join(few)}: their percentile, verdict and lpr_held are unreliable; read lpr"
    )


def rigidity_line(model: StoredModel) -> str:
    """Regularizer, how it was chosen, and loss."""
    choice = regularizer_text(model.provenance.get("regularizer_choice", {}))
    mu = f"{model.regularizer:.3g}" if choice else f"{model.regularizer:g}"
    return f"mu = {mu}{choice}; loss on {LOSS_NAMES[model.loss]}"


def blind_line(model: StoredModel) -> str | None:
    """A warning about species for which the active set misses environments of the training set."""
    limits = sorted(model._unlike_limits.items())
    blind = [f"{residual:.2g} ({symbol(s)})" for s, residual in limits if residual > _BLIND]
    if not blind:
        return None
    return (
        "blind     for the verdicts, the active set is too small: residuals in the training set reach "
        f"{', '.join(blind)}, and atoms with smaller residuals are never unlike; use a larger one (n_active, "
        "--n-active)"
    )
