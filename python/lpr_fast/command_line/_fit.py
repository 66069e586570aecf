"""``lpr-fast fit``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from .._errors import InvalidInputError
from .._files import refuse_output, sha256_of, shown
from ..jobs import _fit_files
from ..reading._options import ReadOptions
from ..reading._specification import path_of
from ._info import active_set_line, rigidity_line
from ._terminal import say, tell, watching


@dataclass(frozen=True)
class Options:
    """Options of the command; None where an option was not given."""

    cutoff: float | None
    max_radial: int | None
    max_angular: int | None
    width: float | None
    hypers: Path | None
    zeta: float
    n_active: int
    regularizer: float
    loss: Literal["total", "per_atom"]
    energy_key: str
    no_energies: bool
    seed: int
    workers: int
    scheduler: str | None
    reading: dict[str, Any]


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, a few of which can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node that is no alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def soap_hypers(cutoff: float = 5.0, max_radial: int = 7, max_angular: int = 6, width: float = 0.4) -> dict[str, Any]:
    """The dictionary that featomic takes."""
    return {
        "cutoff": {"radius": cutoff, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": width},
        "basis": {
            "type": "TensorProduct",
            "max_angular": max_angular,
            "radial": {"type": "Gto", "max_radial": max_radial},
        },
    }


def fit(train: tuple[str, ...], output: Path, options: Options) -> None:
    """Read, fit, save, and say what came of it."""
    hypers = _hypers(options)
    paths = [path_of(specification) for specification in train]
    refuse_output(output, [*paths, *([options.hypers] if options.hypers else [])])
    chosen = _fit_files.Options(
        hypers=hypers,
        regularizer=options.regularizer,
        n_active=options.n_active,
        zeta=options.zeta,
        loss=options.loss,
        energy_key=None if options.no_energies else options.energy_key,
        seed=options.seed,
        provenance={
            "training_file": ", ".join(shown(path.name) for path in paths),
            "training_selection": ", ".join(map(shown, train)),
            "training_sha256": ", ".join(map(sha256_of, paths)),
        },
        scheduler=options.scheduler,
        workers=options.workers,
        reading=ReadOptions.of(**options.reading),
    )
    with watching() as watch:

        def progress(stage: str, done: int, total: int | None) -> None:
            watch.lap(stage)
            watch.report(stage, done, total)

        fitted = _fit_files.fitted(list(train), output, chosen, progress)
        watch.lap("writing")
    if fitted.resumed_at is not None:
        say(f"went on from structure {fitted.resumed_at} of the second pass, where an earlier run had stopped.")
    model = fitted.model
    facts = model.provenance
    source = facts["training_selection"]
    tell(f"training  {facts['n_structures']} structures, {facts['n_environments']} atoms, from {source}")
    if not model.has_energies:
        why = "as asked" if options.no_energies else f"{source} has none named {options.energy_key!r}"
        tell(f"energies  none ({why}): rigidities are the same, but no energies are predicted")
    tell(f"active    {active_set_line(model)}")
    tell(f"rigidity  {rigidity_line(model)}")
    tell(f"seconds   {watch.summary()}")
    tell(f"written   {output}")


def _hypers(options: Options) -> dict[str, Any]:
    given = {
        name: getattr(options, name)
        for name in ("cutoff", "max_radial", "max_angular", "width")
        if getattr(options, name) is not None
    }
    if options.hypers is None:
        return soap_hypers(**given)
    if given:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise InvalidInputError(f"--hypers and {names} were given; put everything into the file, or use no file.")
    return _read_hypers(options.hypers)


def _read_hypers(path: Path) -> dict[str, Any]:
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise InvalidInputError(f"{path} is neither JSON nor YAML by its name; it must end in .json, .yaml or .yml.")
    try:
        text = path.read_text()
        hypers = json.loads(text) if path.suffix == ".json" else yaml.load(text, _PlainLoader)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInputError(f"{path} cannot be parsed ({reason}); correct it.") from error
    if not isinstance(hypers, dict):
        raise InvalidInputError(f"{path} holds a {type(hypers).__name__}; it must hold cutoff, density and basis.")
    return hypers
