"""A map of some environments of a run, with their structures, for chemiscope."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import MissingPackageError
from .._species import symbol
from ..models._columns import COLUMNS
from . import _map
from ._kept_frames import KeptFrames
from ._map import kernel_map, side_by_side
from ._sample import Place, Sample
from ._sampled import Describe, Sampled
from ._sinks import About

SUFFIXES = (".chemiscope.json", ".chemiscope.json.gz")

# Number of environments of lowest LPR, and of random others.
_COUNT = 500

# Of larger frames only the environments are shown: a browser must hold everything.
LARGEST_WHOLE = 256

# Å around an atom that are shown for descriptors without a cutoff.
_SHOWN = 5.0

# The property that colours the map.
COLOUR = "log10 lpr"


class Chemiscope(Sampled):
    """The environments of lowest LPR and a random sample of the others, on a map of their features."""

    def __init__(self, output: Path, about: About, *, describe: Describe | None = None, tag: str = "") -> None:
        kept = KeptFrames(largest_whole=LARGEST_WHOLE, radius=about.cutoff)
        super().__init__(output, Sample(_COUNT, _COUNT), kept, describe, tag)
        self._about = about
        check_packages()

    def assemble(self) -> None:
        """Write everything, without a time stamp."""
        found = self._content(list(self._kept.structures(self._sample.places)))
        self._spool.write(packed(self.output, found))
        self._spool.checkpoint()
        self._spool.close()

    def _content(self, found: list[tuple[Atoms, dict[Place, int]]]) -> dict[str, Any]:
        """Input of chemiscope; empty lists if no atom was scored."""
        meta = {"name": name_of(self.output), "description": self._text()}
        if not found:
            return {"meta": meta, "structures": [], "environments": [], "properties": {}}
        members = [(n, index, place) for n, (_, of) in enumerate(found) for place, index in of.items()]
        pinned = [place for _, _, place in members].index(self._sample.lowest[0])
        properties = self._properties([found[n][0] for n, _, _ in members], members)
        centers = [(n, index) for n, index, _ in members]
        return content(meta, [frame for frame, _ in found], centers, self._about.cutoff, properties, COLOUR, pinned)

    def _properties(self, frames: list[Atoms], members: list[tuple[int, int, Place]]) -> dict[str, tuple[Any, str]]:
        indices, places = [index for _, index, _ in members], [place for _, _, place in members]
        columns = [column for column in COLUMNS if column.name in self._about.columns]
        scores = {
            column.name: np.array(
                [frame.arrays[column.prefixed][index] for frame, index in zip(frames, indices, strict=True)]
            )
            for column in columns
        }
        scores = {n: np.where(np.isinf(values), np.nan, values) for n, values in scores.items()}  # JSON has no infinity
        rigidity = "lpr_held" if "lpr_held" in scores else "lpr"
        lowest = set(self._sample.lowest)
        numbers = np.array([frame.numbers[index] for frame, index in zip(frames, indices, strict=True)])
        features = np.array([self._features[place] for place in places])
        coordinates = kernel_map(features, numbers, self._about.zeta)
        return {
            **map_properties(coordinates, numbers),
            COLOUR: (np.log10(scores[rigidity]), f"decadic logarithm of {rigidity}"),
            **{column.name: (scores[column.name], f"{column.text}; unit: {column.unit}") for column in columns},
            "frame": (np.array([frame for frame, _ in places]), "number of the frame, counted from 0"),
            "atom": (np.array([atom for _, atom in places]), "number of the atom in its frame, counted from 0"),
            "element": (list(map(symbol, numbers.tolist())), "of the atom"),
            "chosen": (
                ["lowest LPR" if place in lowest else "fair sample" for place in places],
                "why it is on the map",
            ),
        }

    def _text(self) -> str:
        about, n_lowest, n_all = self._about, len(self._sample.lowest), len(self._sample.places)
        return (
            f"The {n_lowest} environments of lowest LPR of the run, and a random sample of {n_all - n_lowest} "
            f"others. Model {about.model_sha256[:12]}, loss: {about.loss}, regularizer: {about.regularizer:g}."
        )


def name_of(output: Path) -> str:
    """The name of a file without the suffix of chemiscope."""
    return output.name.removesuffix(".gz").removesuffix(SUFFIXES[0])


def packed(output: Path, found: dict[str, Any]) -> bytes:
    """The bytes of a file, without a time stamp."""
    text = json.dumps(found).encode()
    return gzip.compress(text, mtime=0) if output.suffix == ".gz" else text


def content(
    meta: dict[str, str],
    frames: list[Atoms],
    centers: list[tuple[int, int]],
    cutoff: float | None,
    properties: dict[str, tuple[Any, str]],
    colour: str,
    pinned: int,
) -> dict[str, Any]:
    """Input of chemiscope: environments (structure, atom), and values and description of each property.

    `colour` is the property that colours the map, `pinned` the environment that is shown first.
    """
    shown: dict[str, Any] = _chemiscope().create_input(
        structures=[Atoms(f.numbers, f.positions, cell=f.cell, pbc=f.pbc) for f in frames],
        metadata=meta,
        environments=[(frame, atom, cutoff or _SHOWN) for frame, atom in centers],
        properties={
            name: {"target": "atom", "values": values, "description": text}
            for name, (values, text) in properties.items()
        },
        settings=_settings(colour, pinned),
    )
    return shown


def map_properties(coordinates: Array, numbers: NDArray[Any]) -> dict[str, tuple[Any, str]]:
    """The map of each species, and all maps side by side."""
    return {
        "map": (
            np.column_stack([side_by_side(coordinates, numbers), coordinates[:, 1]]),
            "first two kernel principal components, species side by side",
        ),
        "KPCA": (coordinates, "kernel principal components of the environments of each species"),
    }


def _settings(colour: str, pinned: int) -> dict[str, Any]:
    axes = {name: {"property": f"map[{k}]"} for k, name in enumerate("xy", start=1)}
    shown = {**axes, "color": {"property": colour}, "palette": "viridis", "symbol": "chosen"}
    return {"target": "atom", "map": shown, "structure": [{"unitCell": True}], "pinned": [pinned]}


def check_packages() -> None:
    """Raise for missing packages before the run, not after it."""
    _chemiscope()
    _map.check_packages()


def _chemiscope() -> Any:
    try:
        import chemiscope
    except ImportError as error:
        raise MissingPackageError(
            "files for chemiscope need the package chemiscope; install it with: pip install 'lpr-fast[view]'"
        ) from error
    return chemiscope
