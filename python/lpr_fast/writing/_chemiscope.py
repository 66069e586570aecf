"""A map of some environments of a run, with their structures, for chemiscope."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from .._arrays import Array
from .._errors import MissingPackageError
from ..descriptors._elements import symbol
from ..models._columns import COLUMNS
from ..models._principal_components import principal_components
from ._kept_frames import KeptFrames
from ._sample import Place, Sample
from ._sampled import Describe, Sampled
from ._sinks import About

SUFFIXES = (".chemiscope.json", ".chemiscope.json.gz")

# So many environments of lowest LPR, and so many drawn from all others.
_COUNT = 500

# Of larger frames only the environments themselves are shown: a browser has to hold all of it.
_LARGEST_WHOLE = 256

_N_COMPONENTS = 3

# Å around an atom that are shown where the descriptor does not say how far it sees.
_SHOWN = 5.0

# The property that colours the map.
_COLOUR = "log10 lpr"


class Chemiscope(Sampled):
    """The environments of lowest LPR and a fair sample of all others, on a map of their features."""

    def __init__(self, output: Path, about: About, *, describe: Describe | None = None, tag: str = "") -> None:
        kept = KeptFrames(largest_whole=_LARGEST_WHOLE, radius=about.cutoff)
        super().__init__(output, Sample(_COUNT, _COUNT), kept, describe, tag)
        self._about = about
        _chemiscope()  # better now than after hours

    def assemble(self) -> None:
        """Write everything, without a time stamp."""
        content = json.dumps(self._content(list(self._kept.structures(self._sample.places)))).encode()
        packed = self.output.suffix == ".gz"
        self._spool.write(gzip.compress(content, mtime=0) if packed else content)
        self._spool.checkpoint()
        self._spool.close()

    def _content(self, found: list[tuple[Atoms, dict[Place, int]]]) -> dict[str, Any]:
        """What chemiscope reads; it cannot take a run in which nothing was scored, and gets nothing to show then."""
        meta = {"name": self.output.name.removesuffix(".gz").removesuffix(SUFFIXES[0]), "description": self._text()}
        if not found:
            return {"meta": meta, "structures": [], "environments": [], "properties": {}}
        members = [(n, index, place) for n, (_, of) in enumerate(found) for place, index in of.items()]
        content: dict[str, Any] = _chemiscope().create_input(
            structures=[Atoms(f.numbers, f.positions, cell=f.cell, pbc=f.pbc) for f, _ in found],
            metadata=meta,
            environments=[(n, index, self._about.cutoff or _SHOWN) for n, index, _ in members],
            properties=self._properties([found[n][0] for n, _, _ in members], members),
            settings=_settings([place for _, _, place in members].index(self._sample.lowest[0])),
        )
        return content

    def _properties(self, frames: list[Atoms], members: list[tuple[int, int, Place]]) -> dict[str, Any]:
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
        properties = {
            "PCA": (self._map(places), "principal components of the features of these environments"),
            _COLOUR: (np.log10(scores[rigidity]), f"decadic logarithm of {rigidity}"),
            **{column.name: (scores[column.name], f"{column.text}; unit: {column.unit}") for column in columns},
            "frame": (np.array([frame for frame, _ in places]), "number of the frame, counted from 0"),
            "atom": (np.array([atom for _, atom in places]), "number of the atom in its frame, counted from 0"),
            "element": ([symbol(int(f.numbers[i])) for f, i in zip(frames, indices, strict=True)], "of the atom"),
            "chosen": (["lowest LPR" if place in lowest else "fair sample" for place in places], "for what it is here"),
        }
        return {name: {"target": "atom", "values": v, "description": text} for name, (v, text) in properties.items()}

    def _map(self, places: list[Place]) -> Array:
        return principal_components(np.array([self._features[place] for place in places]), _N_COMPONENTS)

    def _text(self) -> str:
        about, n_lowest, n_all = self._about, len(self._sample.lowest), len(self._sample.places)
        return (
            f"The {n_lowest} environments of lowest LPR of the run, and {n_all - n_lowest} drawn evenly from all "
            f"others. Model {about.model_sha256[:12]}, loss: {about.loss}, regularizer: {about.regularizer:g}."
        )


def _settings(pinned: int) -> dict[str, Any]:
    """What is shown first: the map coloured by LPR, and the least rigid environment."""
    axes = {name: {"property": f"PCA[{k}]"} for k, name in enumerate("xy", start=1)}
    colour = {"color": {"property": _COLOUR}, "palette": "viridis", "symbol": "chosen"}
    return {"target": "atom", "map": {**axes, **colour}, "structure": [{"unitCell": True}], "pinned": [pinned]}


def _chemiscope() -> Any:
    try:
        import chemiscope
    except ImportError as error:
        raise MissingPackageError(
            "files for chemiscope need the package chemiscope; install it with: pip install 'lpr-fast[view]'"
        ) from error
    return chemiscope
