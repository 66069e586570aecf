"""What the case studies share: where the data are, descriptors, the command line, and how numbers are said.

A case study is a script with a `Study`: the calls that a reader copies (`recipe`), what is measured for one seed, and
a picture. `python docs/gallery/NAME.py [--full] [--out FOLDER]` prints a table over the seeds, and writes it as text
and as JSON beside the picture.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Size = TypeVar("Size")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("LPR_FAST_DATA", ROOT.parent / "shared" / "data"))  # real structures, read in place
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe and Ito: for all common kinds of colour vision


@dataclass
class Findings:
    """What a case study finds with one seed.

    Attributes
    ----------
    numbers : dict
        What the page claims: a name that says what it is, in its unit.
    drawn : dict
        Whatever the picture needs.
    """

    numbers: dict[str, Any] = field(default_factory=dict)
    drawn: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Study(Generic[Size]):
    """A case study.

    Attributes
    ----------
    script : str
        Its ``__file__``.
    recipe : callable
        The calls of the package that a reader copies: at most ten lines, which the page shows.
    measure : callable
        ``measure(size, seed)`` gives the `Findings` of one seed.
    draw : callable
        ``draw(figure, findings)`` draws the findings of all seeds.
    reduced, full
        Sizes; their type is the script's own.
    n_seeds : tuple of int
        How many seeds the reduced and the full size take.
    needs : tuple of str
        Files of real structures, in `DATA`.
    picture_inches : tuple of float
        Width and height of the picture.
    """

    script: str
    recipe: Callable[..., Any]
    measure: Callable[[Size, int], Findings]
    draw: Callable[[Figure, list[Findings]], None]
    reduced: Size
    full: Size
    n_seeds: tuple[int, int] = (2, 5)
    needs: tuple[str, ...] = ()
    picture_inches: tuple[float, float] = (10, 4)

    @property
    def name(self) -> str:
        """Name of the script and of its page."""
        return Path(self.script).stem

    @property
    def missing(self) -> list[str]:
        """The files of real structures that are not there."""
        return [name for name in self.needs if not (DATA / name).is_file()]

    def main(self) -> None:
        """Run the case study from a command line."""
        parser = argparse.ArgumentParser(description=f"The case study docs/gallery/{self.name}.py.")
        parser.add_argument("--full", action="store_true", help="the size of the page, instead of a reduced one")
        parser.add_argument("--seeds", type=int, metavar="N", help="how many seeds, from 0")
        parser.add_argument("--out", type=Path, default=Path("gallery"), metavar="FOLDER", help="default: gallery")
        asked = parser.parse_args()
        if self.missing:
            parser.error(f"{', '.join(self.missing)} not found in {DATA}; set LPR_FAST_DATA to the folder that has it.")
        begin = time.perf_counter()
        seeds = range(asked.seeds or self.n_seeds[asked.full])
        findings = [self.measure(self.full if asked.full else self.reduced, seed) for seed in seeds]
        command = f"python docs/gallery/{self.name}.py" + " --full" * asked.full
        text = f"$ {command}\n{table(findings)}"
        print(f"{text}\n{time.perf_counter() - begin:.0f} s")
        self._write(asked.out, command, text, findings)

    def _write(self, folder: Path, command: str, text: str, findings: list[Findings]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.name
        path.with_suffix(".txt").write_text(text + "\n")
        numbers = {"command": command, "numbers": by_name(findings)}
        path.with_suffix(".json").write_text(json.dumps(numbers, indent=1) + "\n")
        self.picture(path.with_suffix(".png"), findings)
        print(f"wrote {path}.txt, {path}.json and {path}.png")

    def picture(self, path: Path, findings: list[Findings]) -> None:
        """Draw the findings into a file."""
        import matplotlib as mpl

        mpl.use("Agg")
        import matplotlib.pyplot as plt
        from PIL import Image

        figure = plt.figure(figsize=self.picture_inches, layout="constrained")
        self.draw(figure, findings)
        figure.savefig(path, dpi=90)
        plt.close(figure)
        with Image.open(path) as image:  # few colours make a small file
            image.convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                path, optimize=True
            )


def by_name(findings: Sequence[Findings]) -> dict[str, list[float]]:
    """The numbers of all seeds, name by name."""
    return {name: [float(found.numbers[name]) for found in findings] for name in findings[0].numbers}


def table(findings: Sequence[Findings]) -> str:
    """The numbers with their spread over the seeds."""
    numbers = by_name(findings)
    width = max(len(name) for name in numbers)
    lines = [f"{f'over {len(findings)} seeds':{width}}  {'mean':>9} {'sd':>9} {'lowest':>9} {'highest':>9}"]
    for name, values in numbers.items():
        spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
        said = " ".join(f"{value:9.3g}" for value in (np.mean(values), spread, min(values), max(values)))
        lines.append(f"{name:{width}}  {said}")
    return "\n".join(lines)


def soap(
    radius: float, *, width: float = 0.4, smoothing: float = 0.5, max_radial: int = 7, max_angular: int = 6
) -> dict[str, Any]:
    """Parameters of the descriptor; lengths in Å."""
    return {
        "cutoff": {"radius": radius, "smoothing": {"type": "ShiftedCosine", "width": smoothing}},
        "density": {"type": "Gaussian", "width": width},
        "basis": {
            "type": "TensorProduct",
            "max_angular": max_angular,
            "radial": {"type": "Gto", "max_radial": max_radial},
        },
    }


def coordination(frame: Any, radius: float) -> Indices:
    """Number of neighbours of each atom of an ``ase.Atoms`` within a radius in Å, shape (n_atoms,)."""
    from matscipy.neighbours import neighbour_list

    return np.bincount(neighbour_list("i", frame, radius), minlength=len(frame))


@cache
def read(name: str) -> list[Any]:
    """All structures of one of the files of `DATA`, which is read once."""
    import ase.io

    return list(ase.io.read(DATA / name, ":"))


def labels(frames: Iterable[Any]) -> Array:
    """Total energies in eV."""
    return np.array([frame.get_potential_energy() for frame in frames])


def density(frame: Any) -> float:
    """Mass over volume of an ``ase.Atoms``, in g/cc."""
    from ase.units import _amu

    return float(frame.get_masses().sum() * _amu * 1e3 / (frame.get_volume() * 1e-24))


def repeated(frame: Any, times: tuple[int, int, int]) -> Any:
    """A cell some times along each of its vectors, and its energy as often, if it has one."""
    from ase.calculators.singlepoint import SinglePointCalculator

    larger = frame.repeat(times)
    if frame.calc is not None:
        larger.calc = SinglePointCalculator(larger, energy=frame.get_potential_energy() * int(np.prod(times)))
    return larger


def replaced(kept: int, added: int, n_base: int, n_pool: int, seed: int) -> tuple[Indices, Indices]:
    """Numbers of the structures of two training sets of equal size: of a base, and of a base with a pool behind it.

    The first has ``kept + added`` structures of the base; in the second the last ``added`` of them give way to
    structures of the pool, whose numbers begin at ``n_base``.
    """
    rng = np.random.default_rng(seed)
    base = rng.permutation(n_base)[: kept + added]
    pool = n_base + rng.permutation(n_pool)[:added]
    return base, np.concatenate([base[:kept], pool])


def geometric_mean(values: Iterable[float] | Array) -> float:
    """The geometric mean, for ratios."""
    return float(np.exp(np.mean(np.log(np.asarray(values)))))
