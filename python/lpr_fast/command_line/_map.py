"""``lpr-fast map``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._words import counted
from ..atoms._load import load_model
from ..reading._sources import refuse_second_reading
from ..reading._specification import path_of
from ..writing._environment_map import check_output, environment_map
from ._calibrate import frames_of
from ._terminal import tell, write_each


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    output: tuple[Path, ...]
    colour: str | None
    prototypes: str | None
    n_environments: int
    radius: float | None
    seed: int
    descriptor: str | None
    reading: dict[str, Any]


def lay_out(model_path: Path, structures: tuple[str, ...], options: Options) -> None:
    """Read, draw the map, write and report."""
    others = () if options.prototypes is None else (options.prototypes,)
    refuse_second_reading([*structures, *others])
    for output in options.output:
        check_output(output, [model_path, *map(path_of, (*structures, *others))])
    found = environment_map(
        load_model(model_path, options.descriptor),
        frames_of(structures, options.reading),
        colour=options.colour,
        n_environments=options.n_environments,
        prototypes=frames_of(others, options.reading) if others else (),
        radius=options.radius,
        seed=options.seed,
    )
    n_lowest = int(found.is_lowest.sum())
    tell(
        f"map       {counted(len(found.frame), 'environment')}: {n_lowest} of lowest LPR, and a random sample of the "
        "others"
    )
    tell(f"columns   {', '.join(found.columns)}")
    write_each(options.output, found.save)
