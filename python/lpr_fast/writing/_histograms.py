"""Histograms of a file of scores, read in chunks: memory grows with the number of frames, not of atoms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from ..models._scores import VERDICTS
from ._records import FORMAT, FORMAT_VERSION, _h5py

_ATOMS_AT_A_TIME = 2**18

# Bins along the logarithm of the LPR, and of the residual.
N_BINS = 120

# Smaller residuals are rounding errors.
SMALLEST_RESIDUAL = 1e-9

# Largest number of points along the run: more frames are drawn in groups, by their lowest value.
_MOST_POINTS = 2000


@dataclass
class Counts:
    """Histograms of all atoms whose LPR is positive and finite.

    Attributes
    ----------
    loss, model_sha256 : str
        Loss and hash of the model.
    n_frames, n_atoms, n_infinite, n_unknown : int
        Numbers of frames and atoms, and of atoms with infinite LPR and with NaN.
    frames, lowest : numpy.ndarray, shape (n_points,)
        Numbers of frames, and the lowest LPR of each (or of `frames_together` frames); NaN if there is none.
    rigidity : {"lpr", "lpr_held"}
        The LPR that is counted: the held one, if the file has it.
    lpr_edges : numpy.ndarray, shape (N_BINS + 1,)
        Edges of the bins, as decadic logarithms.
    of_species : dict of int to numpy.ndarray, shape (N_BINS,)
        Atoms of each atomic number.
    residual_edges : numpy.ndarray, shape (N_BINS + 1,), or None
        For kernel models, edges of the bins along the residual, as decadic logarithms.
    of_residual : numpy.ndarray, shape (N_BINS, N_BINS), or None
        Atoms in each bin of LPR (rows) and residual (columns).
    verdicts : numpy.ndarray of int, shape (n_points, 3), or None
        Atoms of each verdict, along `frames`; None for files without verdicts.
    """

    loss: str
    model_sha256: str
    n_frames: int
    n_atoms: int
    frames: NDArray[np.int64]
    lowest: Array
    rigidity: str
    lpr_edges: Array
    residual_edges: Array | None
    frames_together: int = 1
    n_infinite: int = 0
    n_unknown: int = 0
    of_species: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    of_residual: NDArray[np.int64] | None = None
    verdicts: NDArray[np.int64] | None = None


def counted(path: Path) -> Counts:
    """Read a file twice: for the extremes, then for the histograms.

    Raises
    ------
    InvalidInputError
        For other files, and files without any finite LPR.
    """
    with path.open("rb"):  # the system's message for missing files is better than that of HDF5
        pass
    h5py = _h5py()
    if not h5py.is_hdf5(path):
        raise InvalidInputError(
            f"{path} is not an HDF5 file; pictures need the scores of all atoms, which lpr-fast score writes "
            f"with -o {path.stem.removesuffix('.chemiscope')}.h5."
        )
    try:
        with h5py.File(path, "r", locking=False) as file:  # a file with its final name is complete
            _check(path, file)
            return _counted(path, file)
    except (OSError, KeyError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise InvalidInputError(f"{path} is damaged or incomplete; write it again with lpr-fast score.") from error


def _check(path: Path, file: Any) -> None:
    if file.attrs.get("format") != FORMAT:
        raise InvalidInputError(f"{path} has no scores of lpr_fast; give an HDF5 file that lpr-fast score wrote.")
    version = int(file.attrs["format_version"])
    if version > FORMAT_VERSION:
        raise InvalidInputError(
            f"{path} has version {version} of the format, but this lpr_fast reads versions up to {FORMAT_VERSION}; "
            "upgrade lpr_fast."
        )


def _counted(path: Path, file: Any) -> Counts:
    numbers, first = file["frames/number"][:], file["frames/first_atom"][:]
    lowest = np.full(len(numbers), np.nan)
    rigidity = "lpr_held" if "lpr_held" in file["atoms"] else "lpr"
    extremes = {name: (np.inf, -np.inf) for name in (rigidity, "residual") if name in file["atoms"]}
    verdicts = np.zeros((len(numbers), len(VERDICTS)), dtype=np.int64) if "verdict" in file["atoms"] else None
    for start, columns in _chunks(file, [*extremes, *(["verdict"] if verdicts is not None else [])]):
        lpr = columns[rigidity]
        _take_lowest(lowest, first, start, lpr)
        if verdicts is not None:
            _count_verdicts(verdicts, first, start, columns["verdict"])
        drawn = _drawn(lpr)
        for name, (low, high) in extremes.items():
            values = _logarithms(name, columns[name][drawn])
            extremes[name] = (min(low, values.min(initial=low)), max(high, values.max(initial=high)))
    if extremes[rigidity][0] > extremes[rigidity][1]:
        raise InvalidInputError(f"{path} holds no atom with a finite LPR; there is nothing to draw.")
    together = -(-len(numbers) // _MOST_POINTS)
    edges = {name: _edges(low, high) for name, (low, high) in extremes.items()}
    places = np.arange(0, len(numbers), together)
    counts = Counts(
        loss=str(file.attrs["loss"]),
        model_sha256=str(file.attrs["model_sha256"]),
        n_frames=len(numbers),
        n_atoms=len(file["atoms/lpr"]),
        frames=numbers[::together],
        lowest=np.fmin.reduceat(lowest, places),
        rigidity=rigidity,
        lpr_edges=edges[rigidity],
        residual_edges=edges.get("residual"),
        frames_together=together,
        verdicts=None if verdicts is None else np.add.reduceat(verdicts, places, axis=0),
    )
    if "residual" in edges:
        counts.of_residual = np.zeros((N_BINS, N_BINS), dtype=np.int64)
    for _, columns in _chunks(file, [*extremes, "species"]):
        _count(counts, columns)
    return counts


def _count(counts: Counts, columns: dict[str, Array]) -> None:
    lpr = columns[counts.rigidity]
    counts.n_infinite += int(np.count_nonzero(np.isinf(lpr)))
    counts.n_unknown += int(np.count_nonzero(np.isnan(lpr)))
    drawn = _drawn(lpr)
    logarithms, species = _logarithms("lpr", lpr[drawn]), columns["species"][drawn]
    for number in np.unique(species).tolist():
        found = np.histogram(logarithms[species == number], counts.lpr_edges)[0]
        counts.of_species[number] = counts.of_species.get(number, 0) + found
    if counts.of_residual is not None and counts.residual_edges is not None:
        residuals = _logarithms("residual", columns["residual"][drawn])
        found = np.histogram2d(logarithms, residuals, (counts.lpr_edges, counts.residual_edges))[0]
        counts.of_residual += found.astype(np.int64)


def _chunks(file: Any, names: list[str]) -> Iterator[tuple[int, dict[str, Array]]]:
    """Columns in chunks of atoms, with the number of the first atom."""
    for start in range(0, len(file["atoms/lpr"]), _ATOMS_AT_A_TIME):
        yield start, {name: file["atoms"][name][start : start + _ATOMS_AT_A_TIME] for name in names}


def _take_lowest(lowest: Array, first: NDArray[np.int64], start: int, lpr: Array) -> None:
    """Update the lowest finite LPR of the frames of a chunk of atoms."""
    frames, starts = _frames_of(first, start, len(lpr))
    lowest[frames] = np.fmin(lowest[frames], np.fmin.reduceat(np.where(_drawn(lpr), lpr, np.nan), starts))


def _count_verdicts(verdicts: NDArray[np.int64], first: NDArray[np.int64], start: int, found: Array) -> None:
    """Count the verdicts of the frames of a chunk of atoms."""
    frames, starts = _frames_of(first, start, len(found))
    verdicts[frames] += np.add.reduceat(found[:, None] == np.arange(len(VERDICTS)), starts, axis=0, dtype=np.int64)


def _frames_of(first: NDArray[np.int64], start: int, count: int) -> tuple[slice, NDArray[np.int64]]:
    """The frames of `count` atoms from `start` on, and where each frame begins among these atoms."""
    frames = slice(
        int(np.searchsorted(first, start, side="right")) - 1, int(np.searchsorted(first, start + count, side="left"))
    )
    return frames, np.maximum(first[frames] - start, 0)


def _drawn(lpr: Array) -> NDArray[np.bool_]:
    return np.isfinite(lpr) & (lpr > 0.0)


def _logarithms(name: str, values: Array) -> Array:
    return np.log10(np.maximum(values, SMALLEST_RESIDUAL) if name == "residual" else values)


def _edges(low: float, high: float) -> Array:
    """Edges of bins for values from `low` to `high`, which may be equal."""
    margin = max(1e-3, 1e-3 * (high - low))
    return np.linspace(low - margin, high + margin, N_BINS + 1)
