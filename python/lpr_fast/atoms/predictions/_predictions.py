"""Predicted energies, forces, virials and stress of structures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ..._arrays import Array
from ..._cpu import resolve_n_threads
from .._describer import Ready
from .._frames import threads_for

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]

# Voigt order: xx yy zz yz xz xy.
_ROWS, _COLUMNS = [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]


@dataclass(frozen=True)
class Prediction:
    """Predictions for structures, in the unit of the training energies (eV) and Å.

    Arrays over atoms contain the atoms of all frames: ``forces[frame == 3]`` are the forces of frame 3, and `of`
    returns the predictions for one frame.

    Attributes
    ----------
    energy : numpy.ndarray, shape (n_frames,)
        Total energies.
    energies : numpy.ndarray, shape (n_atoms,)
        Local energies, including the baseline of the species. Their sum is `energy`.
    forces : numpy.ndarray, shape (n_atoms, 3), or None
        Minus the derivatives of the energy with respect to positions. None if forces were not requested, and for models
        without SOAP features, whose derivatives are not known.
    virial : numpy.ndarray, shape (n_frames, 3, 3), or None
        Minus the derivatives of the energy with respect to strain, positive for a compressed structure. None as for
        `forces`.
    stress : numpy.ndarray, shape (n_frames, 6), or None
        Stress in ASE's convention: minus the virial over the volume of the cell, xx yy zz yz xz xy. NaN for frames
        without three cell vectors. None as for `forces`.
    frame : numpy.ndarray of int, shape (n_atoms,)
        Number of the frame of each atom, counted from 0.
    members : Prediction or None
        Predictions of the members, if requested: the same arrays with a last axis of length n_members.
    """

    energy: Array
    energies: Array
    forces: Array | None
    virial: Array | None
    stress: Array | None
    frame: Indices
    members: Prediction | None = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.energy)

    def of(self, frame: int) -> Prediction:
        """Return the predictions for one frame, whose number is then 0.

        Parameters
        ----------
        frame : int
            Number of the frame.

        Returns
        -------
        Prediction
        """
        atoms = slice(*np.searchsorted(self.frame, [frame, frame + 1]))

        def of_frame(values: Array | None) -> Array | None:
            return None if values is None else values[frame : frame + 1]

        return Prediction(
            self.energy[frame : frame + 1],
            self.energies[atoms],
            None if self.forces is None else self.forces[atoms],
            of_frame(self.virial),
            of_frame(self.stress),
            np.zeros_like(self.frame[atoms]),
            None if self.members is None else self.members.of(frame),
        )


@dataclass(frozen=True)
class FramePrediction:
    """Predictions for one frame by K vectors of weights.

    Attributes
    ----------
    energies : numpy.ndarray, shape (n_atoms, K)
        Local energies.
    forces, virial, stress : numpy.ndarray, shapes (n_atoms, 3, K), (3, 3, K) and (6, K), or None
        Derivatives of the total energy.
    """

    energies: Array
    forces: Array | None = None
    virial: Array | None = None
    stress: Array | None = None


@dataclass(frozen=True)
class FramePredictor:
    """Predictor for SOAP, the descriptor of the core.

    Attributes
    ----------
    scorer : SoapScorer
        Descriptor and model.
    weights : numpy.ndarray, shape (K, M)
        Weights of the model, followed by those of its members if requested.
    """

    scorer: _core.SoapScorer
    weights: Array

    def of(self, batch: Sequence[Ready], n_threads: int, *, forces: bool) -> list[FramePrediction]:
        """Predict frames, each in one pass over its atoms; the bits depend on the frame and the model alone.

        If there are at least as many frames as threads, each thread predicts whole frames.
        """
        n_together = min(resolve_n_threads(n_threads), len(batch))
        if n_together == 1 or n_together < resolve_n_threads(n_threads):
            return [self._of_one(ready, n_threads, forces=forces) for ready in batch]
        with ThreadPoolExecutor(n_together) as pool:
            return list(pool.map(lambda ready: self._of_one(ready, 1, forces=forces), batch))

    def _of_one(self, ready: Ready, n_threads: int, *, forces: bool) -> FramePrediction:
        assert ready.structure is not None
        of_frame = threads_for(len(ready), n_threads)
        found = self.scorer.predict(ready.structure, self.weights, of_frame, forces=forces, baseline=True)
        if not forces:
            return FramePrediction(found["energies"])
        virial = np.moveaxis(found["virials"], 0, -1)
        of_atoms = np.moveaxis(found["forces"], 0, -1)
        return FramePrediction(found["energies"], of_atoms, virial, stress_of(virial, ready.frame))


def stress_of(virial: Array, frame: Atoms) -> Array:
    """Return ASE's stress from a virial, (3, 3, ...) -> (6, ...); NaN for a frame without three cell vectors."""
    return -voigt_of(virial) / (frame.cell.volume if frame.cell.rank == 3 else np.nan)


def voigt_of(tensor: Array) -> Array:
    """Return components xx yy zz yz xz xy of a symmetric tensor: (3, 3, ...) -> (6, ...)."""
    return tensor[_ROWS, _COLUMNS]


def prediction_of(frames: Sequence[FramePrediction], n_weights: int, *, forces: bool) -> Prediction:
    """Return the predictions by the first vector of weights, and by the others as its members."""
    energies = np.concatenate([np.zeros((0, n_weights)), *(found.energies for found in frames)])
    totals = [_core.column_sums(found.energies) for found in frames]
    arrays = {"energy": np.array(totals).reshape(len(frames), n_weights), "energies": energies}
    if forces:
        of_atoms = [np.zeros((0, 3, n_weights)), *(found.forces for found in frames)]
        arrays["forces"] = np.concatenate(of_atoms)  # type: ignore[arg-type]
        arrays["virial"] = np.array([found.virial for found in frames]).reshape(len(frames), 3, 3, n_weights)
        arrays["stress"] = np.array([found.stress for found in frames]).reshape(len(frames), 6, n_weights)
    number = np.repeat(np.arange(len(frames)), [len(found.energies) for found in frames])

    def by(which: int | slice, members: Prediction | None = None) -> Prediction:
        chosen: dict[str, Any] = dict.fromkeys(("forces", "virial", "stress"))
        chosen |= {name: np.ascontiguousarray(values[..., which]) for name, values in arrays.items()}
        return Prediction(**chosen, frame=number, members=members)

    return by(0) if n_weights == 1 else by(0, by(slice(1, None)))
