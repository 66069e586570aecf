"""Options of ``lpr-fast fit`` about energies, forces and virials as labels, each with its noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from .._errors import InvalidInputError
from ..atoms.labels._noise import Noise
from ..models._rows import KINDS
from ..models._settings import AUTO

T = TypeVar("T")

_OPTIONS: dict[str, dict[str, Any]] = {
    "--sigma-energy": {
        "metavar": "SIGMA",
        "help": "Standard deviation of total energies in eV, or its name in TRAIN. With this or the next two, the "
        "weight of a label is 1 / sigma^2, and 1 / LPR is the variance in eV^2.",
    },
    "--sigma-force": {"metavar": "SIGMA", "help": "The same of the components of forces in eV/Å: fits to forces too."},
    "--sigma-virial": {
        "metavar": "SIGMA",
        "help": "The same of the components of virials in eV: fits to virials, or stresses, too.",
    },
    "--sigma-group": {
        "metavar": "NAME:KIND=SIGMA,...",
        "multiple": True,
        "help": "Others for structures of a group (--group-key), such as liquid:energy=0.1,force=0.3; may be given "
        "again.",
    },
    "--delta": {
        "metavar": "DELTA",
        "default": AUTO,
        "show_default": True,
        "help": "With sigmas, the prior standard deviation of a local energy in eV, in place of --regularizer: "
        "mu = 1 / delta^2. auto: that of largest evidence.",
    },
    "--force-key": {"metavar": "KEY", "help": "Name of the forces in TRAIN.  [default: forces, force]"},
    "--virial-key": {
        "metavar": "KEY",
        "help": "Name of the virials in eV, or, if it has stress in it, of stresses in eV/Å^3.  [default: virial, "
        "stress]",
    },
    "--mask-key": {
        "metavar": "KEY",
        "help": "Array of TRAIN, True for atoms whose forces are left out.  [default: force_mask]",
    },
}


def noise_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add what says which labels there are, and how far they may be off."""
    for name, described in reversed(_OPTIONS.items()):
        command = click.option(name, **described)(command)
    return command


def noise_of(
    sigmas: dict[str, str | None], groups: Sequence[str], mask_key: str | None, group_key: str
) -> Noise | None:
    """The noise that options say, by kinds of labels; None without any.

    Raises
    ------
    InvalidInputError
        For groups that cannot be read, and groups or a mask without noise.
    """
    given = {kind: None if text is None else _number_or_name(text) for kind, text in sigmas.items()}
    if all(sigma is None for sigma in given.values()):
        if beside := [name for name, value in (("--sigma-group", groups), ("--mask-key", mask_key)) if value]:
            raise InvalidInputError(
                f"{beside[0]} was given, but no --sigma-energy, --sigma-force or --sigma-virial; give one of them too."
            )
        return None
    tables = dict(_table(text) for text in groups)
    if len(tables) < len(groups):
        raise InvalidInputError("--sigma-group names a group twice; put all of it into one.")
    mask = {} if mask_key is None else {"mask_key": mask_key}
    return Noise(**given, tables=tables, group_key=group_key, **mask)  # type: ignore[arg-type]


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _table(text: str) -> tuple[str, dict[str, float]]:
    """A group, and its standard deviations."""
    group, colon, entries = text.rpartition(":")
    pairs = [entry.partition("=") for entry in entries.split(",")]
    try:
        sigmas = {kind.strip(): float(sigma) for kind, _, sigma in pairs}
    except ValueError:
        sigmas = {}
    if not colon or not group or not sigmas or not set(sigmas) <= set(KINDS):
        raise InvalidInputError(
            f"--sigma-group is {text!r}; give a group and its sigmas, such as liquid:energy=0.1,force=0.3,virial=1."
        )
    return group, sigmas
