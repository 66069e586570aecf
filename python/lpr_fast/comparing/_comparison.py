"""Two models on the same atoms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_count
from ..atoms._model import StructureModel
from ..models._scores import scores_of
from ._compared import ComparedAtoms, compared_columns
from ._differences import Differences, differences
from ._nearest import NearestAtoms, nearest_atoms

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Comparison(ComparedAtoms):
    """Scores of two models for every atom of some frames: the columns of `ComparedAtoms`, models and frames.

    Attributes
    ----------
    models : tuple of StructureModel
        The first model, a, and the second, b.
    frames : list of ase.Atoms
        The frames.
    differences : Differences
        Differences between the models other than their training structures.
    """

    models: tuple[StructureModel, StructureModel]
    frames: Sequence[Atoms]
    differences: Differences

    @property
    def same_active_set(self) -> bool | None:
        """Whether the models have the same active set; None if one of them has none."""
        return self.differences.same_active_set

    def nearest(
        self,
        environments: Iterable[Atoms] | ArrayLike,
        k: int = 100,
        *,
        model: StructureModel | None = None,
        n_threads: int = 0,
    ) -> NearestAtoms:
        """The atoms of all frames that are most similar to given environments.

        The similarity of an atom is its largest kernel with an environment of its species.

        Parameters
        ----------
        environments : ase.Atoms, iterable of them, or array_like of int, shape (n, 2)
            Structures, of which all atoms count, or pairs of frame and atom of this comparison.
        k : int
            Number of atoms; all if there are fewer.
        model : StructureModel, optional
            Model with the kernel; the second by default. For a linear model, the scalar product of normalised features.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        NearestAtoms

        Raises
        ------
        InvalidInputError
            For environments that the model cannot describe, and unknown pairs.
        """
        return nearest_atoms(self, environments, k, model or self.models[1], as_count("n_threads", n_threads))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write a file, by its suffix.

        ``.csv``: a line for each frame and species; ``.npz``, ``.h5``, ``.hdf5``: the columns; ``.xyz``, ``.extxyz``:
        the frames with the columns; ``.png``, ``.pdf``, ``.svg``: a picture (see `plot`); ``.chemiscope.json``,
        ``.chemiscope.json.gz``: a map (see `map`).

        Raises
        ------
        InvalidInputError
            For other suffixes, and files that cannot be written.
        MissingPackageError
            If matplotlib or h5py is missing.
        """
        from ._files import write

        return write(self, Path(path))

    def map(self, path: str | PathLike[str], *, n_environments: int = 2000, seed: int = 0, n_threads: int = 0) -> Path:
        """Draw a map of environments in the colour of the change: the decadic logarithm of lpr_b / lpr_a.

        Parameters
        ----------
        path : path
            A picture (``.png``, ``.pdf``, ``.svg``), or a file for chemiscope (``.chemiscope.json``,
            ``.chemiscope.json.gz``).
        n_environments, seed, n_threads
            As for `environment_map`, of the second model.

        Raises
        ------
        InvalidInputError
            For other suffixes.
        MissingPackageError
            If scikit-learn, matplotlib or chemiscope is missing.
        """
        from ._map import map_comparison

        return map_comparison(self, Path(path), n_environments, seed, as_count("n_threads", n_threads))

    def plot(self, path: str | PathLike[str], *, nearest: NearestAtoms | None = None) -> Path:
        """Draw the LPR under both models, its change by species, and its change near given environments.

        Parameters
        ----------
        path : path
            A ``.png``, ``.pdf`` or ``.svg`` file.
        nearest : NearestAtoms, optional
            Result of `nearest`.

        Raises
        ------
        InvalidInputError
            For other suffixes.
        MissingPackageError
            If matplotlib is missing.
        """
        from ._picture import plot_comparison

        return plot_comparison(self, Path(path), nearest)


def compare(a: StructureModel, b: StructureModel, frames: Iterable[Atoms], *, n_threads: int = 0) -> Comparison:
    """Compare two models on the same atoms: how much more rigid the second makes each prediction.

    If the models share the descriptor, atoms are described once.

    Parameters
    ----------
    a, b : SparseKernelModel or LinearModel
        The first and the second model, for example before and after a change of the training set. Fit them with the
        same active set (``active_set=a``, or `TrainingRows.fit`) to see the effect of the training set alone.
    frames : iterable of ase.Atoms
        Structures; the comparison keeps them.
    n_threads : int
        See `Rigidity`.

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidInputError
        For models of different losses, and frames that one of them cannot score.
    """
    between, count = differences(a, b), as_count("n_threads", n_threads)
    run = _described_once if between.same_descriptor else _one_after_the_other
    kept: list[Atoms] = []
    parts = [_empty(a, b), *run(a, b, _keeping(frames, kept), count)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if parts[0][name] is not None}
    order = np.lexsort((joined["atom"], joined["frame"]))
    columns: dict[str, Any] = dict.fromkeys(parts[0])
    columns |= {name: values[order] for name, values in joined.items()}
    return Comparison(**columns, models=(a, b), frames=kept, differences=between)


def _keeping(frames: Iterable[Atoms], kept: list[Atoms]) -> Iterator[Atoms]:
    from ase import Atoms

    for frame in [frames] if isinstance(frames, Atoms) else frames:
        kept.append(frame)
        yield frame


def _empty(a: StructureModel, b: StructureModel) -> dict[str, Any]:
    none = np.zeros(0, dtype=np.int64)
    places = {"frame": none, "atom": none, "species": none}
    return compared_columns(places, a.pipeline.empty_scores(), b.pipeline.empty_scores())


def _described_once(
    a: StructureModel, b: StructureModel, frames: Iterable[Atoms], n_threads: int
) -> Iterator[dict[str, Any]]:
    """Columns of pieces of frames, described once."""
    for piece in a.pipeline.pieces(frames, "error"):
        features = a.pipeline.features(piece, n_threads)
        numbers = piece.numbers.astype(np.int64)
        of_a, of_b = (scores_of(model._model, features, numbers, n_threads) for model in (a, b))
        yield compared_columns({"frame": piece.frame, "atom": piece.atom, "species": numbers}, of_a, of_b)


def _one_after_the_other(
    a: StructureModel, b: StructureModel, frames: Iterable[Atoms], n_threads: int
) -> Iterator[dict[str, Any]]:
    """Columns of whole frames, described by both models."""
    for batch, of_a in a._scored_batches(frames, "error", n_threads):
        of_b = b.score(batch, n_threads=n_threads)
        species = np.concatenate([frame.numbers for frame in batch]).astype(np.int64)
        yield compared_columns({"frame": of_a.frame, "atom": of_a.atom, "species": species}, of_a, of_b)
