"""Estimate of the time for the forces of a run, from a few atoms."""

from __future__ import annotations

from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING

from .._errors import InvalidInputError
from ..atoms._model import StructureModel
from ..atoms._pieces import Piece
from ..reading._sources import Files, Source

if TYPE_CHECKING:
    from ase import Atoms

# Number of neighbouring atoms to measure: enough for all cores, and less than a second.
_MEASURED = 32


def seconds_per_atom(model: StructureModel, source: Source, n_threads: int) -> float | None:
    """Seconds for the force on an atom of the first frame; None for frames that cannot be read twice, or not at all."""
    if not isinstance(source, Files):
        return None
    scoring = model.force_scoring()
    for frame in islice(source.frames(), 1):
        piece = _few_atoms(model, frame)
        if piece is not None:
            scoring.of_piece(piece, n_threads, marks=True)
            start = perf_counter()
            scoring.of_piece(piece, n_threads, marks=True)
            return (perf_counter() - start) / len(piece.atom)
    return None


def _few_atoms(model: StructureModel, frame: Atoms | InvalidInputError) -> Piece | None:
    """Some atoms of a frame; None if it cannot be scored, which the run reports."""
    try:
        (piece, *_) = model.pipeline.pieces([frame], "nan")  # type: ignore[list-item]
    except InvalidInputError:
        return None
    (ready,) = piece.batch
    assert ready.structure is not None  # SOAP has a cutoff
    some = ready.structure.order()[:_MEASURED]
    return Piece(0, [ready], (0, len(some)), some)
