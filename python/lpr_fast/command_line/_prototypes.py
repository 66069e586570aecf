"""``lpr-fast prototypes``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import InvalidInputError
from .._files import refuse_output, replacing
from ..atoms._load import load_model
from ..design._prototypes import prototypes
from ..design._single_environment import single_environment
from ..reading._specification import path_of
from ..writing._extxyz import write_frame
from ._calibrate import frames_of
from ._terminal import tell

if TYPE_CHECKING:
    from ase import Atoms

    from ..atoms._model import StructureModel


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    output: Path | None
    n: int
    max_strain: float
    n_atoms: int | None
    nearly: bool
    model: Path | None
    descriptor: str | None
    seed: int
    reading: dict[str, Any]


def list_names(elements: str) -> None:
    """Print the names of the prototypes of these elements."""
    for name in prototypes(*elements.split(",")):
        tell(name)


def write(given: tuple[str, ...], options: Options) -> None:
    """Strain, write and report."""
    if not given or options.output is None:
        raise InvalidInputError(
            "give prototypes and a file to write (-o), or list the prototypes of elements (--list C)."
        )
    inputs = [path_of(name) for name in given if not _is_name(name)]
    refuse_output(options.output, [*inputs, *([options.model] if options.model else [])])
    model = _model_of(options)
    found = [
        cell
        for prototype in _prototypes_of(given, options.reading)
        for cell in single_environment(
            prototype,
            options.n,
            max_strain=options.max_strain,
            n_atoms=options.n_atoms,
            nearly=options.nearly,
            model=model,
            seed=options.seed,
        )
    ]
    _refuse_equal(found)
    with replacing(options.output) as file:
        for cell in found:
            write_frame(file, cell, {})
    for line in _table(found):
        tell(line)
    tell(f"written   {options.output}")


def _model_of(options: Options) -> StructureModel | None:
    if options.model is None:
        return None
    return load_model(options.model, options.descriptor)


def _is_name(given: str) -> bool:
    return " " in given.strip() and not path_of(given).exists()


def _prototypes_of(given: tuple[str, ...], reading: dict[str, Any]) -> Iterator[str | Atoms]:
    """Names of prototypes as they are, and the crystals of files."""
    for name in given:
        if _is_name(name):
            yield name
            continue
        for number, frame in enumerate(frames_of((name,), reading)):
            frame.info.setdefault("name", f"{path_of(name).name.partition('.')[0]}-{number}")
            yield frame


def _refuse_equal(cells: list[Atoms]) -> None:
    names = [cell.info["name"] for cell in cells]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInputError(f"two prototypes give the same cells ({twice[0]}); give each prototype once.")


def _table(cells: list[Atoms]) -> Iterator[str]:
    """A line for each cell."""
    width = max(len(cell.info["name"]) for cell in cells)
    yield f"{'name':<{width}}  atoms  Å³/atom  symmetry          spread"
    for cell in cells:
        volume = cell.get_volume() / len(cell)  # type: ignore[no-untyped-call]
        facts = cell.info
        yield f"{facts['name']:<{width}}  {len(cell):5}  {volume:7.2f}  {facts['symmetry']:<16}  {facts['spread']:.1e}"
