"""Maps of the environments of structures, coloured by any property of atoms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_count, as_number, as_vector
from .._errors import InvalidInputError
from .._files import refuse_output, write_whole
from .._species import symbol
from .._words import counted
from ..atoms._frames import as_list
from ..atoms._pipeline import Scores, whole_frames
from ..atoms._similarity import Prototypes
from ..models._active_set import as_seed
from ..models._columns import COLUMNS, columns_of
from . import _chemiscope, _map
from ._coordination import COORDINATION, coordinations
from ._kept_frames import KeptFrames
from ._map_picture import plot_map
from ._picture import check_picture
from ._sample import Place, Sample

if TYPE_CHECKING:
    from ..atoms._model import StructureModel

Indices = NDArray[np.int64]

# Name of the column of a given array.
_GIVEN = "given"


@dataclass(frozen=True)
class EnvironmentMap:
    """A map of environments: their coordinates, places and properties.

    Attributes
    ----------
    coordinates : numpy.ndarray, shape (n, 3)
        Kernel principal components, for each species separately.
    frame, atom, species : numpy.ndarray of int, shape (n,)
        Number of the frame and of the atom in it, counted from 0, and its atomic number.
    is_lowest : numpy.ndarray of bool, shape (n,)
        Whether it was chosen for its low LPR; the others are a random sample.
    columns : dict of str to numpy.ndarray, shape (n,)
        Scores, coordination, similarities, and given values.
    colour : str
        The column that colours the map.
    """

    coordinates: Array
    frame: Indices
    atom: Indices
    species: Indices
    is_lowest: NDArray[np.bool_]
    columns: Mapping[str, Array]
    colour: str
    _frames: list[Atoms]
    _centers: list[tuple[int, int]]
    _cutoff: float | None

    def save(self, output: str | PathLike[str]) -> Path:
        """Write a picture (.png, .pdf or .svg), or a file for chemiscope (.chemiscope.json, .chemiscope.json.gz).

        Raises
        ------
        InvalidInputError
            For other suffixes.
        MissingPackageError
            Without matplotlib, or chemiscope.
        """
        target = Path(output)
        check_output(target, [])
        if target.name.endswith(_chemiscope.SUFFIXES):
            write_whole(target, _chemiscope.packed(target, self._content(target)))
        else:
            plot_map(target, self.coordinates, self.species, self.columns[self.colour], self.colour)
        return target

    def _content(self, target: Path) -> dict[str, object]:
        known = {column.name: f"{column.text}; unit: {column.unit}" for column in COLUMNS}
        finite = {name: np.where(np.isfinite(values), values, np.nan) for name, values in self.columns.items()}
        shown, text = finite[self.colour], f"the colour of the map: {self.colour}"
        if self.colour in ("lpr", "lpr_held"):
            shown, text = np.log10(shown), f"decadic logarithm of {self.colour}"
        properties = {
            **_chemiscope.map_properties(self.coordinates, self.species),
            "colour": (shown, text),
            **{name: (values, known.get(name, name)) for name, values in finite.items()},
            "frame": (self.frame, "number of the frame, counted from 0"),
            "atom": (self.atom, "number of the atom in its frame, counted from 0"),
            "element": ([symbol(s) for s in self.species.tolist()], "of the atom"),
            "chosen": (np.where(self.is_lowest, "lowest LPR", "fair sample").tolist(), "why it is on the map"),
        }
        text = (
            f"{counted(int(self.is_lowest.sum()), 'environment')} of lowest LPR, {int((~self.is_lowest).sum())} "
            "random others"
        )
        meta = {"name": _chemiscope.name_of(target), "description": f"{text}."}
        pinned = int(self.columns["lpr_held" if "lpr_held" in self.columns else "lpr"].argmin())
        return _chemiscope.content(meta, self._frames, self._centers, self._cutoff, properties, "colour", pinned)


def check_output(target: Path, inputs: list[Path]) -> None:
    """Refuse names with other suffixes; raise for missing packages."""
    _map.check_packages()
    if target.name.endswith(_chemiscope.SUFFIXES):
        refuse_output(target, inputs)
        _chemiscope.check_packages()
    elif target.suffix not in (".png", ".pdf", ".svg"):
        raise InvalidInputError(
            f"{target} has no known format; give a name that ends in .png, .pdf, .svg, .chemiscope.json or "
            ".chemiscope.json.gz."
        )
    else:
        check_picture(target, inputs)


def environment_map(
    model: StructureModel,
    frames: Iterable[Atoms],
    *,
    colour: str | ArrayLike | None = None,
    n_environments: int = 2000,
    prototypes: Atoms | Iterable[Atoms] = (),
    radius: float | None = None,
    seed: int = 0,
    n_threads: int = 0,
) -> EnvironmentMap:
    """Map environments by kernel principal components, for each species separately.

    Half of the environments are those of lowest LPR (held, if the model has that), the others are a uniform random
    sample of the rest. Memory is of order `n_environments` squared.

    Parameters
    ----------
    model : SparseKernelModel or LinearModel
        Its kernel measures similarity; for linear models, the cosine of the features.
    frames : iterable of ase.Atoms
        Structures.
    colour : str or array_like, shape (n_atoms,), optional
        A score such as ``"residual"``, ``"coordination"``, ``"similarity NAME"`` of a prototype, the name of an array
        of the structures, or values for all of their atoms. The default is the (held) LPR.
    n_environments : int
        Largest number of environments on the map.
    prototypes : iterable of ase.Atoms
        Structures to compare environments with, in columns ``"similarity NAME"``; NAME is ``info["name"]`` or the
        formula.
    radius : float, optional
        Neighbours up to this distance in Å count as coordination; the default is 1.25 times the sum of the covalent
        radii.
    seed : int
        Seed of the random sample.
    n_threads : int
        See `Rigidity`.

    Returns
    -------
    EnvironmentMap

    Raises
    ------
    InvalidInputError
        For structures that cannot be scored, an unknown colour, and values for another number of atoms.
    MissingPackageError
        If scikit-learn is missing.
    """
    _map.check_packages()
    count, n_wanted = as_count("n_threads", n_threads), as_count("n_environments", n_environments)
    if n_wanted < 1:
        raise InvalidInputError(f"n_environments is {n_wanted}; ask for at least one.")
    given = as_list(prototypes)
    compared = Prototypes(model.pipeline, given, model.kernel_power, count) if given else None
    reach = None if radius is None else as_number("radius", radius)
    chosen = _Chosen(model, n_wanted, as_seed(seed), reach, colour)
    chosen.take(frames, count)
    return chosen.laid_out(_names(given), compared)


def _names(prototypes: list[Atoms]) -> list[str]:
    """Names of the columns of prototypes, all different."""
    names = [f"similarity {p.info.get('name', p.symbols)}" for p in prototypes]
    return [f"{name} ({k})" if names.count(name) > 1 else name for k, name in enumerate(names)]


class _Chosen:
    """The chosen environments, with their frames and properties."""

    def __init__(
        self, model: StructureModel, n_wanted: int, seed: int, radius: float | None, colour: str | ArrayLike | None
    ) -> None:
        self._model = model
        self._first = seed << 32  # the random sample depends on numbers of frames
        self._sample = Sample(n_wanted // 2, n_wanted - n_wanted // 2)
        self._kept = KeptFrames(largest_whole=_chemiscope.LARGEST_WHOLE, radius=model.cutoff)
        self._radius = radius
        self._colour = colour if colour is None or isinstance(colour, str) else _GIVEN
        self._values = None if self._colour is colour else as_vector("colour", colour)  # type: ignore[arg-type]
        self._known: dict[Place, dict[str, float]] = {}

    def take(self, frames: Iterable[Atoms], n_threads: int) -> None:
        """Score structures, and keep the chosen environments."""
        pipeline = self._model.pipeline
        scored = ((piece, pipeline.scores(piece, "error", n_threads)) for piece in pipeline.pieces(frames, "error"))
        number = done = 0
        for batch, scores in whole_frames(scored):
            start = 0
            for frame in batch:
                self._consider(number, frame, scores.select(slice(start, start + len(frame))), done + start)
                start += len(frame)
                number += 1
            done += start
        if self._values is not None and len(self._values) != done:
            raise InvalidInputError(f"colour has {len(self._values)} values for {done} atoms; give one for each.")
        if not self._sample.places:
            raise InvalidInputError("there are no environments to map; give structures with atoms.")

    def _consider(self, number: int, frame: Atoms, scores: Scores, done: int) -> None:
        """Keep the chosen atoms of a frame; `done` atoms came before it."""
        lpr = scores.lpr if scores.lpr_held is None else scores.lpr_held
        atoms = np.array(self._sample.add(self._first + number, lpr), dtype=np.int64)
        if not len(atoms):
            return
        columns = {name: values[atoms] for name, values in columns_of(scores).items()}
        columns[COORDINATION] = coordinations(frame, atoms, self._radius)
        if self._values is not None:
            columns[_GIVEN] = self._values[done + atoms] if done + len(frame) <= len(self._values) else lpr[atoms]
        elif isinstance(self._colour, str) and self._colour in frame.arrays and self._colour not in columns:
            columns[self._colour] = _array_of(frame, number, self._colour)[atoms]
        for k, atom in enumerate(atoms.tolist()):
            self._known[self._first + number, atom] = {name: float(values[k]) for name, values in columns.items()}
        self._kept.keep(self._first + number, frame, scores, atoms.tolist())
        self._kept.forget_all_but(self._sample.places)
        self._known = {place: self._known[place] for place in self._sample.places}

    def laid_out(self, names: list[str], compared: Prototypes | None) -> EnvironmentMap:
        """The map of the chosen environments."""
        found = list(self._kept.structures(self._sample.places))
        members = [(n, index, place) for n, (_, of) in enumerate(found) for place, index in of.items()]
        described = [self._model.pipeline.features_of(f, np.array([*of.values()])) for f, of in found]
        features = np.concatenate(described)
        species = np.array([found[n][0].numbers[index] for n, index, _ in members], dtype=np.int64)
        columns = self._columns([place for _, _, place in members])
        if compared is not None:
            columns |= dict(zip(names, compared.similarities(features, species).T, strict=True))
        lowest = set(self._sample.lowest)
        return EnvironmentMap(
            coordinates=_map.kernel_map(features, species, self._model.kernel_power),
            frame=np.array([place[0] - self._first for _, _, place in members]),
            atom=np.array([place[1] for _, _, place in members]),
            species=species,
            is_lowest=np.array([place in lowest for _, _, place in members]),
            columns=columns,
            colour=self._checked_colour(columns),
            _frames=[frame for frame, _ in found],
            _centers=[(n, index) for n, index, _ in members],
            _cutoff=self._model.cutoff,
        )

    def _columns(self, places: list[Place]) -> dict[str, Array]:
        """Columns that all environments have."""
        names = [name for name in self._known[places[0]] if all(name in self._known[place] for place in places)]
        return {name: np.array([self._known[place][name] for place in places]) for name in names}

    def _checked_colour(self, columns: Mapping[str, Array]) -> str:
        wanted = self._colour or ("lpr_held" if "lpr_held" in columns else "lpr")
        if wanted not in columns:
            raise InvalidInputError(
                f"there is no {wanted!r} to colour the map by; give one of {', '.join(columns)}, or an array of all "
                "structures."
            )
        return wanted


def _array_of(frame: Atoms, number: int, name: str) -> Array:
    return as_vector(f"the array {name!r} of frame {number}", frame.arrays[name])
