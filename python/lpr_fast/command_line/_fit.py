"""``lpr-fast fit``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from .._errors import InvalidInputError
from .._files import printable, refuse_output, sha256_of
from ..atoms._load import load_model
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..atoms.about._about import active_set_line, blind_line, few_line, rigidity_line, training_line
from ..atoms.about._calibration_lines import calibration_lines
from ..atoms.about._choice_lines import choice_lines, size_line
from ..atoms.about._noise_lines import noise_lines
from ..atoms.about._split_lines import split_lines
from ..atoms.labels._noisy_labels import weighting
from ..atoms.rows._fitting import as_active_set, descriptor_to_use
from ..descriptors._imported import imported
from ..descriptors._soap_hypers import soap_hypers
from ..jobs import _fit_files
from ..jobs._executors import executor_of
from ..jobs._fit_files import FitOrder
from ..models._memory import as_bytes
from ..models._rows import KINDS
from ..models._settings import FitSettings
from ..reading._options import ReadOptions
from ..reading._specification import path_of
from ._calibrate import frames_of, warn_of_training
from ._noise_options import noise_of, refuse_keys_without_sigma
from ._options import number_or_auto
from ._terminal import say, tell, watching
from ._training_errors import training_error_lines

# Options that are about SOAP.
_OF_SOAP = ("cutoff", "max_radial", "max_angular", "width", "hypers")

# Size of the active set, where none is given.
_N_ACTIVE = 500


@dataclass(frozen=True)
class Options:
    """Options of the command; None if an option was not given."""

    cutoff: float | None
    max_radial: int | None
    max_angular: int | None
    width: float | None
    hypers: Path | None
    features: str | None
    descriptor: str | None
    model: str
    zeta: float
    n_active: int | None
    active_set: Path | None
    active_from: tuple[str, ...]
    regularizer: str
    loss: Literal["total", "per_atom"]
    energy_key: str
    no_energies: bool
    weights: str | None
    sigmas: str | None
    sigma_energy: str | None
    sigma_force: str | None
    sigma_virial: str | None
    sigma_group: tuple[str, ...]
    delta: str
    force_key: str | None
    virial_key: str | None
    mask_key: str | None
    baseline: str | None
    hold: str | None
    group_key: str
    seed: int
    keep_rows: Path | None
    calibrate: str | None
    memory: str | None
    workers: int
    scheduler: str | None
    gap_fit: str | None
    reading: dict[str, Any]

    def descriptor_of_fit(self) -> Any:
        """The descriptor."""
        given = [name for name in ("features", "descriptor") if getattr(self, name) is not None]
        of_soap = [name for name in _OF_SOAP if getattr(self, name) is not None]
        if len(given) + bool(of_soap) > 1:
            names = ", ".join("--" + name.replace("_", "-") for name in [*given, *of_soap])
            raise InvalidInputError(f"{names} were given; features come from one source, so give one of them.")
        if self.features is not None:
            return descriptor_to_use(None, self.features)
        if self.descriptor is not None:
            return descriptor_to_use(None, imported(self.descriptor))
        return descriptor_to_use(_hypers(self), None)

    def settings(self, provenance: dict[str, Any]) -> FitSettings:
        """Settings of the fit."""
        is_linear = self.model == "linear"
        if is_linear and (self.n_active is not None or self.active_set is not None or self.active_from):
            raise InvalidInputError(
                "a linear model has no active set; leave out --n-active, --active-set and --active-from."
            )
        if self.n_active is not None and self.active_set is not None:
            raise InvalidInputError("--n-active and --active-set were given; give one of them.")
        is_sampled = not is_linear and self.active_set is None
        return FitSettings(
            "linear" if is_linear else "sparse_kernel",
            **self.weighting(),
            n_active=(_N_ACTIVE if self.n_active is None else self.n_active) if is_sampled else None,
            active_set=None if self.active_set is None else _active_set(self.active_set),
            zeta=self.zeta,
            energy_key=None if self.no_energies else self.energy_key,
            force_key=self.force_key,
            virial_key=self.virial_key,
            group_key=self.group_key,
            baseline=None if self.baseline is None else _baseline(self.baseline),
            hold=() if self.hold is None else tuple(frames_of((self.hold,), self.reading)),
            seed=self.seed,
            provenance=provenance,
            memory=None if self.memory is None else as_bytes(self.memory),
        )

    def weighting(self) -> dict[str, Any]:
        """Weights of labels, and the regularizer."""
        sigmas = {kind: getattr(self, f"sigma_{kind}") for kind in KINDS}
        refuse_keys_without_sigma({"force": self.force_key, "virial": self.virial_key}, sigmas)
        return weighting(
            noise_of(sigmas, self.sigma_group, self.mask_key, self.group_key),
            number_or_auto("delta", self.delta),
            regularizer=number_or_auto("regularizer", self.regularizer),
            loss=self.loss,
            weights=self.weights,
            sigmas=self.sigmas,
            group_key=self.group_key,
        )


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few of them can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node; aliases are refused."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def fit(train: tuple[str, ...], output: Path, options: Options) -> None:
    """Read, fit, save and report."""
    paths = [path_of(specification) for specification in train]
    inputs = [path for path in (options.hypers, options.active_set) if path is not None]
    inputs += [path_of(specification) for specification in options.active_from]
    inputs += [] if options.calibrate is None else [path_of(options.calibrate)]
    refuse_output(output, [*paths, *inputs])
    provenance = {
        "training_file": ", ".join(map(printable, paths)),
        "training_selection": ", ".join(map(printable, train)),
        "training_sha256": ", ".join(map(sha256_of, paths)),
        **({} if options.active_set is None else _origin("active_set", [str(options.active_set)])),
        **(_origin("active_from", options.active_from) if options.active_from else {}),
    }
    with executor_of(workers=options.workers, scheduler=options.scheduler) as executor, watching() as watch:

        def progress(stage: str, done: int, total: int | None) -> None:
            watch.lap(stage)
            watch.report(stage, done, total)

        reading = ReadOptions.of(**options.reading)
        order = FitOrder(
            output,
            options.keep_rows,
            options.descriptor_of_fit(),
            options.settings(provenance),
            executor,
            reading,
            progress,
            tell,
            list(options.active_from) or None,
        )
        fitted = _fit_files.fitted(list(train), order)
        errors = list(training_error_lines(fitted.model, train, order.settings, options.reading, progress))
        watch.lap("writing")
    if fitted.resumed_at is not None:
        say(f"resumed at structure {fitted.resumed_at} of the second pass, where an earlier run stopped.")
    model = fitted.model
    facts = model.provenance
    source = facts["training_selection"]
    tell(f"training  {training_line(facts)}, from {source}")
    if not model.has_energies:
        why = "--no-energies" if options.no_energies else f"{source} has none named {options.energy_key!r}"
        tell(f"energies  none ({why}): the LPR is the same, but the model predicts no energies")
    if isinstance(model, SparseKernelModel):
        tell(f"active    {active_set_line(model)}")
    if line := size_line(facts):
        tell(line)
    tell(f"rigidity  {rigidity_line(model)}")
    for line in (blind_line(model), few_line(model)):
        if line is not None:
            tell(line)
    for line in [*split_lines(model), *choice_lines(facts), *noise_lines(model), *errors]:
        tell(line)
    if options.calibrate is not None:
        warn_of_training(model, (options.calibrate,))
        model = model.calibrate(frames_of((options.calibrate,), options.reading))
        model.save(output)
        for line in calibration_lines(model):
            tell(line)
    tell(f"seconds   {watch.summary()}")
    tell(f"written   {output}" + (f", {options.keep_rows}" if options.keep_rows else ""))


def _origin(name: str, specifications: Sequence[str]) -> dict[str, str]:
    """Provenance entries of the files that the active set comes from."""
    digests = (sha256_of(path_of(specification)) for specification in specifications)
    return {f"{name}_file": ", ".join(map(printable, specifications)), f"{name}_sha256": ", ".join(digests)}


def _active_set(path: Path) -> Any:
    """Active set from a model file, which has zero bytes at its beginning, or from a text file, which has none."""
    with path.open("rb") as file:
        is_model = b"\0" in file.read(16)
    return as_active_set(load_model(path)) if is_model else _read_active_set(path)


def _read_active_set(path: Path) -> list[list[int]]:
    """Pairs (structure, atom), one in each line of a text file."""
    try:
        lines = [line.partition("#")[0].split() for line in path.read_text().splitlines()]
        pairs = [[int(number) for number in line] for line in lines if line]
    except ValueError as error:
        raise InvalidInputError(
            f"{path} is not an active set; give a model file, or a text file with two integers in each line: "
            "structure and atom."
        ) from error
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise InvalidInputError(
            f"{path} is not an active set; give a model file, or a text file with two integers in each line: "
            "structure and atom."
        )
    return pairs


def _baseline(text: str) -> dict[str, float] | str:
    """Energies of elements, for example Si=-158.5,O=-430.2, or the word isolated."""
    if text == "isolated":
        return text
    entries = [[part.strip() for part in entry.split("=")] for entry in text.split(",")]
    try:
        energies = {element: float(energy) for element, energy in entries}
    except ValueError as error:
        raise InvalidInputError(
            f"the baseline is {text!r}; give energies, for example Si=-158.5,O=-430.2, or the word isolated."
        ) from error
    if len(energies) < len(entries):
        raise InvalidInputError(f"the baseline is {text!r}; give one energy for each element.")
    return energies


def _hypers(options: Options) -> dict[str, Any]:
    given = {
        name: getattr(options, name) for name in _OF_SOAP if name != "hypers" and getattr(options, name) is not None
    }
    if options.hypers is None:
        return soap_hypers(**given)
    if given:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise InvalidInputError(
            f"--hypers and {names} were given; put all settings into the file, or leave --hypers out."
        )
    return _read_hypers(options.hypers)


def _read_hypers(path: Path) -> dict[str, Any]:
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise InvalidInputError(f"{path} is not JSON or YAML by its name; it must end in .json, .yaml or .yml.")
    try:
        text = path.read_text()
        hypers = json.loads(text) if path.suffix == ".json" else yaml.load(text, _PlainLoader)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInputError(f"{path} cannot be parsed ({reason}); correct the file.") from error
    if not isinstance(hypers, dict):
        raise InvalidInputError(f"{path} does not hold a dictionary; it must hold cutoff, density and basis.")
    return hypers
