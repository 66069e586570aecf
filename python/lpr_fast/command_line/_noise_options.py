"""Options of ``lpr-fast fit`` for forces, virials, and the noise of all labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from .._errors import InvalidInputError
from ..atoms.labels._noise import Noise
from ..models._rows import KINDS
from ..models._settings import AUTO
from ._help import titled

_OPTIONS: dict[str, dict[str, Any]] = {
    "--sigma-energy": {
        "metavar": "SIGMA",
        "help": "Standard deviation of total energies in eV, or its name in TRAIN. With any of these three sigmas, a "
        "label has weight 1 / sigma^2, and 1 / LPR is a variance in eV^2.",
    },
    "--sigma-force": {
        "metavar": "SIGMA",
        "help": "Standard deviation of force components in eV/Å, or its name. Needed to fit forces.",
    },
    "--sigma-virial": {
        "metavar": "SIGMA",
        "help": "Standard deviation of virial components in eV, or its name. Needed to fit virials or stresses.",
    },
    "--sigma-group": {
        "metavar": "GROUP:KIND=SIGMA,...",
        "multiple": True,
        "help": "Other sigmas for one group (--group-key), for example liquid:energy=0.1,force=0.3. Repeat for more.",
    },
    "--delta": {
        "metavar": "DELTA",
        "default": AUTO,
        "show_default": True,
        "help": "With sigmas: prior standard deviation of a local energy in eV, instead of --regularizer (mu = 1 / "
        "delta^2). auto: chosen by maximum evidence.",
    },
    "--force-key": {"metavar": "KEY", "help": "Name of the forces in TRAIN.  [default: forces, force]"},
    "--virial-key": {
        "metavar": "KEY",
        "help": "Name of the virials (eV) in TRAIN, or of the stresses (eV/Å^3) if it contains stress.  [default: "
        "virial, stress]",
    },
    "--mask-key": {
        "metavar": "KEY",
        "help": "Array in TRAIN that is True for atoms whose forces are ignored.  [default: force_mask]",
    },
}

noise_options = titled("Forces, virials and noise", *(click.option(name, **given) for name, given in _OPTIONS.items()))


def noise_of(
    sigmas: dict[str, str | None], groups: Sequence[str], mask_key: str | None, group_key: str
) -> Noise | None:
    """The noise of each kind of label, from the options; None if no sigma is given.

    Raises
    ------
    InvalidInputError
        For groups that cannot be parsed, and for groups or a mask without any sigma.
    """
    given = {kind: None if text is None else _number_or_name(text) for kind, text in sigmas.items()}
    if all(sigma is None for sigma in given.values()):
        if beside := [name for name, value in (("--sigma-group", groups), ("--mask-key", mask_key)) if value]:
            raise InvalidInputError(
                f"{beside[0]} was given without --sigma-energy, --sigma-force or --sigma-virial; give one of them too."
            )
        return None
    tables = dict(_table(text) for text in groups)
    if len(tables) < len(groups):
        raise InvalidInputError("--sigma-group names a group twice; give all sigmas of a group at once.")
    mask = {} if mask_key is None else {"mask_key": mask_key}
    return Noise(**given, tables=tables, group_key=group_key, **mask)  # type: ignore[arg-type]


def refuse_keys_without_sigma(keys: dict[str, str | None], sigmas: dict[str, str | None]) -> None:
    """Refuse names of forces or virials that would not be fitted.

    Raises
    ------
    InvalidInputError
        For the name of a kind of label that has no sigma.
    """
    for kind, key in keys.items():
        if key is not None and sigmas[kind] is None:
            raise InvalidInputError(
                f"--{kind}-key was given without --sigma-{kind}, which a fit to this label needs; give "
                f"--sigma-{kind} too, or leave --{kind}-key out."
            )


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _table(text: str) -> tuple[str, dict[str, float]]:
    """A group and its standard deviations."""
    group, colon, entries = text.rpartition(":")
    pairs = [entry.partition("=") for entry in entries.split(",")]
    try:
        sigmas = {kind.strip(): float(sigma) for kind, _, sigma in pairs}
    except ValueError:
        sigmas = {}
    if not colon or not group or not sigmas or not set(sigmas) <= set(KINDS):
        raise InvalidInputError(
            f"--sigma-group is {text!r}; give a group and its sigmas, for example liquid:energy=0.1,force=0.3,virial=1."
        )
    return group, sigmas
