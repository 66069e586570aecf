"""A run, or a shard of it, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._errors import InvalidInputError
from ..atoms._describer import Ready
from ..atoms._model import StructureModel
from ..atoms._pieces import Piece, warn_of_open_frames
from ..atoms._pipeline import Scores, UnknownSpecies
from ..atoms.sums._group_scores import group_columns
from ..atoms.sums._grouping import members_of
from ..atoms.sums._totals import Totals
from ..reading._sources import Files, Source
from ..writing._spool import beside
from ._job import ASSEMBLED, Job, Run
from ._journal import SUFFIX, Journal, Tolerated, of_versions
from ._read_so_far import ReadSoFar, is_unchanged
from ._shards import Shard
from ._stream import Clock, Stream

if TYPE_CHECKING:
    from ase import Atoms

OnError = Literal["stop", "skip"]


@dataclass(frozen=True)
class RunProgress:
    """Progress of a run.

    Attributes
    ----------
    frames, atoms : int
        Numbers done; an unfinished large frame counts with its atoms only.
    atoms_in_all : int or None
        Number of all atoms, if known.
    seconds : dict of str to float
        Seconds of each kind of work so far; they run in parallel.
    force_seconds : float or None
        Estimated seconds for the force on an atom; only in the first call of a run with forces.
    """

    frames: int
    atoms: int
    atoms_in_all: int | None
    seconds: dict[str, float]
    force_seconds: float | None = None


Progress = Callable[[RunProgress], None]


@dataclass(frozen=True)
class ScoreSettings:
    """Checked arguments of `score_trajectory`.

    Attributes
    ----------
    model, model_sha256
        The model, and the hash of its file.
    source, outputs
        The frames, and the files to write.
    least_rigid, groups, forces, unknown_species, on_error, n_threads
        See `score_trajectory`.
    atoms_together : int
        Number of atoms to score at once, from the limit on memory.
    """

    model: StructureModel
    model_sha256: str
    source: Source
    outputs: list[Path]
    least_rigid: int
    groups: str | None
    forces: bool
    unknown_species: UnknownSpecies
    on_error: OnError
    n_threads: int
    atoms_together: int


def score_whole(settings: ScoreSettings, clock: Clock, progress: Progress | None = None) -> Run:
    """Do a whole run; the caller holds the locks of its outputs."""
    source = settings.source
    with clock.stage("reading"):
        identity = source.identity()
        if isinstance(source, Files) and settings.on_error == "stop":
            source = source.read_through(only_quick=True)
        n_atoms = source.n_atoms() if settings.on_error == "stop" else None
    scoring = _Scoring(settings, source, identity, None, clock)
    return scoring.job().run(scoring.scored, scoring.teller(progress, n_atoms))


def score_shard(settings: ScoreSettings, shard: Shard, clock: Clock, progress: Progress | None = None) -> Run:
    """Do a shard of a run whose source has been read through; the caller holds its lock."""
    scoring = _Scoring(settings, settings.source, settings.source.identity(), shard, clock)
    return scoring.job().run_shard(scoring.scored, scoring.teller(progress, None))


class _Scoring:
    """Reading and scoring of the frames of a run, or of a shard."""

    def __init__(
        self, settings: ScoreSettings, source: Source, identity: Any, shard: Shard | None, clock: Clock
    ) -> None:
        self._settings, self._source, self._identity = settings, source, identity
        self._shard, self._clock = shard, clock
        self._skipped: dict[int, str] = {}
        self._score = settings.model.piece_scoring(settings.unknown_species, settings.n_threads, forces=settings.forces)

    def job(self) -> Job:
        """The job that takes the scored frames; it may hold some of an earlier run."""
        from ..writing import _outputs

        settings, shard = self._settings, self._shard
        about = _outputs.about(settings.model, settings.model_sha256, forces=settings.forces)
        describe = settings.model.pipeline.features_of
        tag, first = (shard.tag, shard.first) if shard else ("", 0)
        sinks = _outputs.sinks_of(
            settings.outputs,
            about,
            least_rigid=settings.least_rigid,
            groups=settings.groups,
            describe=describe,
            describe_groups=self._groups,
            tag=tag,
        )
        named = {
            "model": settings.model_sha256,
            "input": self._identity,
            "outputs": [str(output.resolve()) for output in settings.outputs],
            "least_rigid": settings.least_rigid,
            "groups": settings.groups,
            "forces": settings.forces,
            "unknown_species": settings.unknown_species,
            "on_error": settings.on_error,
            "shard": shard.name if shard else None,
            "frames": [shard.first, shard.stop] if shard else None,
            **of_versions(about.versions),
            "instruction_set": _core.cpu_info()[0],
            "about": asdict(about),
        }
        output = sinks[0].output
        if self._identity is None:
            _refuse_unfinished(output)
            return Job(sinks, None, about, self._clock, skipped=self._skipped, totals=self._totals())
        assert isinstance(self._source, Files)
        journal = Journal(output, named, tag, _tolerated(settings, self._identity))
        read = ReadSoFar(self._source, first).up_to
        return Job(
            sinks,
            journal,
            about,
            self._clock,
            tag=tag,
            first=first,
            skipped=self._skipped,
            totals=self._totals(),
            read=read,
        )

    def scored(self, stream: Stream, start: int, first_atom: int) -> Iterator[tuple[Piece, Scores]]:
        """Scored pieces, beginning at a frame; see `_job.Scored`."""
        settings, shard, clock = self._settings, self._shard, self._clock
        frames = self._labelled(start)
        chosen = islice(frames, max(0, shard.stop - start)) if shard else frames
        skip = self._skipped.__setitem__ if settings.on_error == "skip" else None
        pieces = settings.model.pipeline.pieces(
            chosen,
            settings.unknown_species,
            settings.atoms_together,
            start,
            skip,
            first_atom,
        )
        pieces = warn_of_open_frames(pieces, settings.model.provenance, is_shard=shard is not None)
        read = stream.ahead(clock.timed("reading", pieces), may_wait=True)
        return stream.ahead((piece, self._scores(piece)) for piece in read)

    def _labelled(self, start: int) -> Iterator[Any]:
        """Frames from a number on; in place of frames without usable labels of groups, the error."""
        groups = self._settings.groups
        for number, frame in enumerate(self._source.frames(start), start):
            if groups is None or isinstance(frame, InvalidInputError):
                yield frame
                continue
            try:
                members_of(groups, frame, number)
            except InvalidInputError as error:
                yield error
            else:
                yield frame

    def teller(self, progress: Progress | None, n_atoms: int | None) -> Callable[[int, int], None]:
        """The function that reports progress."""
        return partial(self._tell, progress, n_atoms)

    def _totals(self) -> Callable[[list[Ready]], Totals] | None:
        """The function that computes totals of whole frames; None for models without sigma."""
        model, n_threads = self._settings.model, self._settings.n_threads
        return (
            None if model.sum_scoring.prior_variance == 0.0 else lambda batch: model.total_scoring.of(batch, n_threads)
        )

    def _groups(self, frame: Atoms, number: int, known: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Columns of the groups of a frame; NaN for groups with atoms of unknown species."""
        settings = self._settings
        assert settings.groups is not None
        return group_columns(settings.model, frame, number, settings.groups, known, settings.n_threads)

    def _scores(self, piece: Piece) -> Scores:
        with self._clock.stage("scoring"):
            return self._score(piece)

    def _tell(self, progress: Progress | None, n_atoms: int | None, frames: int, atoms: int) -> None:
        if progress is not None:
            progress(RunProgress(frames, atoms, n_atoms, dict(self._clock.seconds)))


def _tolerated(settings: ScoreSettings, identity: Any) -> Tolerated:
    """Settings that may change if the finished part of the run stays the same."""
    return {
        "on_error": lambda _, done: settings.on_error == "skip" or not done["summary"]["n_skipped"],
        "unknown_species": lambda _, done: settings.unknown_species == "nan" or not done["summary"]["n_unknown"],
        "input": lambda then, done: done["state"] != ASSEMBLED and is_unchanged(then, identity, done["read"]),
    }


def _refuse_unfinished(output: Path) -> None:
    """Refuse a source that can be read only once where an unfinished run would be overwritten."""
    journal = beside(output, SUFFIX)
    if journal.exists():
        raise InvalidInputError(
            f"{journal} belongs to an unfinished run of {output}; give its command again, or delete that file to start "
            "anew."
        )
