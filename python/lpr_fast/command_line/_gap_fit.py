"""``lpr-fast fit --gap-fit``: options that a gap_fit command sets."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .._errors import InvalidInputError
from ..atoms.labels._noisy_labels import weighting
from ..atoms.rows._fitting import descriptor_to_use
from ..gap._command import GapFit, elements_of, read_gap_fit
from ..models._memory import as_bytes
from ..models._settings import AUTO, FitSettings
from ..reading._options import ReadOptions
from ..reading._sources import source_of
from ._calibrate import frames_of
from ._fit import Options
from ._options import number_or_auto
from ._terminal import say

# Options of `lpr-fast fit` that a gap_fit command sets, or that could be misunderstood beside it.
_SET_BY_GAP_FIT = (
    *("cutoff", "max_radial", "max_angular", "width", "hypers", "features", "descriptor", "model", "zeta", "n_active"),
    *("active_set", "active_from", "regularizer", "loss", "energy_key", "no_energies", "weights", "sigmas", "baseline"),
    *("group_key", "sigma_energy", "sigma_force", "sigma_virial", "sigma_group", "force_key", "virial_key"),
    *("mask_key", "seed"),
)


@dataclass(frozen=True)
class GapOptions(Options):
    """Options of the command, most of them set by a gap_fit command."""

    found: GapFit
    text: str

    def descriptor_of_fit(self) -> Any:
        """The descriptor."""
        return descriptor_to_use(self.found.options["hypers"], None)

    def settings(self, provenance: dict[str, Any]) -> FitSettings:
        """Settings of the fit."""
        given = {name: value for name, value in self.found.options.items() if name != "hypers"}
        sigma, delta = given.pop("sigma"), given.pop("delta")
        noise = weighting(
            sigma, delta, regularizer=AUTO, loss="total", weights=None, sigmas=None, group_key=given["group_key"]
        )
        return FitSettings(
            "sparse_kernel",
            hold=() if self.hold is None else tuple(frames_of((self.hold,), self.reading)),
            provenance={**provenance, "gap_fit": self.text},
            memory=None if self.memory is None else as_bytes(self.memory),
            **given,
            **noise,
        )


def with_gap_fit(train: tuple[str, ...], options: Options) -> tuple[tuple[str, ...], Options]:
    """Training structures and options, from the gap_fit command if there is one; remarks tell the differences.

    Raises
    ------
    InvalidInputError
        For options that the gap_fit command sets too, and without training structures.
    """
    if options.gap_fit is None:
        if not train:
            raise InvalidInputError("no training structures were given; name a file, for example train.xyz.")
        return train, options
    _refuse_beside()
    text = _text_of(options.gap_fit)
    found = read_gap_fit(text, species=_elements(train, options.reading) if train else None)
    if _is_given("delta"):
        found = replace(found, options=found.options | {"delta": number_or_auto("delta", options.delta)})
    for remark in found.remarks:
        say(f"note: {remark}")
    named = train or (() if found.train is None else (found.train,))
    own = {each.name: getattr(options, each.name) for each in fields(options)}
    return named, GapOptions(**own, found=found, text=" ".join(text.split()))


def _refuse_beside() -> None:
    if given := [name for name in _SET_BY_GAP_FIT if _is_given(name)]:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise InvalidInputError(
            f"--gap-fit and {names} were given, but the gap_fit command sets these; change it there, or leave "
            "--gap-fit out."
        )


def _is_given(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def _text_of(given: str) -> str:
    """The gap_fit command, which contains name=value, or the content of the file with that name."""
    return given if "=" in given else Path(given).read_text()


def _elements(train: tuple[str, ...], reading: dict[str, Any]) -> list[int]:
    return elements_of(source_of(list(train), ReadOptions.of(**reading)).frames())
