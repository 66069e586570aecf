"""Frames in, files out: any number of frames, in memory that does not grow with it, and again after a crash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from .. import _core
from .._arrays import as_count
from .._errors import InvalidInputError
from .._files import sha256_of
from ..atoms._load import load_model
from ..atoms._model import Scores, StructureModel, UnknownSpecies
from ..atoms._pieces import Piece, periodicity_told
from ..reading import _sources
from ..reading._options import ReadOptions, SpeciesOption
from ._job import Job, Run
from ._journal import Journal
from ._memory import atoms_together
from ._shards import Shard, refuse_shards
from ._stream import Clock, Stream


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes
    ----------
    frames, atoms : int
        How many are done; of a large frame that is under way, only its atoms count.
    atoms_in_all : int or None
        How many there are, if that is known.
    seconds : dict of str to float
        What each kind of work has taken so far; they go on side by side.
    """

    frames: int
    atoms: int
    atoms_in_all: int | None
    seconds: dict[str, float]


def score_trajectory(
    model: StructureModel | str | PathLike[str],
    source: Any,
    sinks: Sequence[str | PathLike[str]] | None = None,
    *,
    least_rigid: int = 0,
    unknown_species: UnknownSpecies = "error",
    on_error: Literal["stop", "skip"] = "stop",
    format: str | None = None,  # noqa: A002 (the name that ASE has for it)
    topology: str | PathLike[str] | None = None,
    species: SpeciesOption = None,
    cell: str | ArrayLike | None = None,
    ignore: str | Iterable[str] = (),
    shard: str | None = None,
    scheduler: Any = None,
    workers: int = 0,
    memory: str | int | None = None,
    n_threads: int = 0,
    progress: Callable[[RunProgress], None] | None = None,
) -> Run:
    """Score every atom of frames that need not fit in memory, into files.

    Reading, scoring and writing go on side by side. Results do not depend on `memory` or threads, and have
    the bits of `StructureModel.score`.

    A run from files that was ended by whatever it be goes on where it stopped when it is called again with the same
    arguments; until then there are files ``*.unfinished`` and ``*.journal`` beside the outputs. The outputs appear when
    everything is done, and are the same bytes then.

    Parameters
    ----------
    model : StructureModel or path
        A model, or its file.
    source : str, path, list of these, or iterable of ase.Atoms
        Files that ASE reads, compressed or not, with its selections (``"md.xyz@::10"``), one after the other; ``"-"``
        for extended XYZ from standard input; or frames, taken as they come.
    sinks : sequence of paths, optional
        Files to write; the suffix says what: ``.h5`` or ``.hdf5`` (all scores, compressed), ``.csv`` (a line for each
        frame), ``.xyz`` or ``.extxyz`` (frames with scores), ``.npz`` (arrays), ``.chemiscope.json`` or
        ``.chemiscope.json.gz`` (some environments on a map). By default, for ``traj.xyz``, ``traj.lpr.h5`` and
        ``traj.lpr.csv`` beside it.
    least_rigid : int
        So many environments of lowest LPR are written too, with the frames around them, to
        ``<first output>.least-rigid.extxyz``.
    unknown_species, n_threads
        As for `StructureModel.score`.
    on_error : {"stop", "skip"}
        What to do about frames that cannot be read or scored: stop with the number of the first, or leave them out; the
        summary lists them.
    format : str, optional
        Format of all files, by its name in ASE; by default each file's name and content tell.
    topology : path, optional
        A structure with the atoms of every frame in their order: the species for files that hold none, and the cell
        of frames that have none. XTC, TRR, DCD and NetCDF need it, and chemfiles.
    species : str, list or dict, optional
        Elements of the types 1, 2, ... of LAMMPS and VASP (``"In,P"``), or of labels (``"OW=O,HW=H"``).
    cell : str or array, optional
        Cell, in Å, of frames that have none, periodic along all its vectors: three lengths, three lengths and three
        angles, or three vectors.
    ignore : str or list of str, optional
        Elements and labels of atoms that are left out before anything else, such as ``"X,Mw"``; atoms are numbered
        without them.
    shard : str, optional
        Such as ``"3/100"``: score only the third of so many equal ranges of frames, and leave what `merge_shards` makes
        the outputs from.
    scheduler : str, path, distributed.Client or cluster of Dask, optional
        Workers that score ranges of frames: the address of their scheduler, the file that it wrote (``.json``), or an
        object of Dask. They have to see all files under the same names.
    workers : int
        Without a scheduler: so many processes on this machine, of one thread each. A script that asks for them needs
        ``if __name__ == "__main__":``.
    memory : str or int, optional
        Cap on memory, such as ``"2GB"``; of each worker where there are workers.
    progress : callable, optional
        Called with a `RunProgress`, whenever some atoms are done.

    Returns
    -------
    Run

    Raises
    ------
    InvalidInputError
        For frames that cannot be read or scored, outputs that cannot be written, an unfinished run with other
        arguments, and workers that cannot be reached or would compute other bits.
    """
    from ..writing import _outputs

    if on_error not in ("stop", "skip"):
        raise InvalidInputError(f"on_error is {on_error!r}; it must be 'stop' or 'skip'.")
    with_workers = scheduler is not None or as_count("workers", workers) != 0
    if with_workers and shard is not None:
        raise InvalidInputError("a shard is a job of its own, without workers; give one or the other.")
    clock = Clock()
    with clock.stage("reading"):
        loaded, digest = _loaded(model)
        limit = atoms_together(memory, loaded)
        options = ReadOptions.of(format=format, topology=topology, species=species, cell=cell, ignore=ignore)
        frames = _sources.source_of(source, options)
        models = [] if isinstance(model, StructureModel) else [Path(model)]
        outputs = _outputs.checked(sinks, frames, models)
    count = as_count("least_rigid", least_rigid)
    work = Work(loaded, digest, limit, frames, outputs, count, unknown_species, on_error, n_threads)
    if with_workers:
        from ._workers import score_on_workers

        return score_on_workers(scheduler, workers, work, clock, progress)
    return score_part(work, shard, clock, progress)


@dataclass(frozen=True)
class Work:
    """A run whose arguments have been looked at: model, hash of its file, atoms that are described together, ..."""

    model: StructureModel
    digest: str
    limit: int
    source: _sources.Source
    outputs: list[Path]
    least_rigid: int
    unknown_species: UnknownSpecies
    on_error: Literal["stop", "skip"]
    n_threads: int


def score_part(work: Work, shard: str | None, clock: Clock, progress: Callable[[RunProgress], None] | None) -> Run:
    """Do a whole run, or a shard of it, in this process."""
    from ..writing import _outputs

    loaded, digest, limit, frames, outputs = work.model, work.digest, work.limit, work.source, work.outputs
    count, unknown_species, on_error, n_threads = work.least_rigid, work.unknown_species, work.on_error, work.n_threads
    if shard is None:
        refuse_shards(outputs[0])
    with clock.stage("reading"):
        identity = frames.identity()
        if isinstance(frames, _sources.Files) and (shard is not None or on_error == "stop"):
            frames = frames.read_through(only_quick=shard is None, on_error=on_error)
        part = None if shard is None else Shard.of(shard, frames)
        n_atoms = None if part or on_error == "skip" else frames.n_atoms()
    about = _outputs.about(loaded, digest)
    tag = part.tag if part else ""
    files = _outputs.sinks_of(outputs, about, least_rigid=count, describe=loaded._features_of, tag=tag)
    settings = {
        "model": digest,
        "input": identity,
        "list of outputs": [str(output.resolve()) for output in outputs],
        "least rigid": count,
        "unknown species": unknown_species,
        "on error": on_error,
        "shard": None if part is None else f"{part.index}/{part.count}",
        **{f"version of {name}": version for name, version in about.versions.items()},
        "instruction set": _core.cpu_info()[0],
        "facts about the model": asdict(about),
    }

    skipped: dict[int, str] = {}
    skip = skipped.__setitem__ if on_error == "skip" else None

    def scored(stream: Stream, start: int, first_atom: int) -> Iterator[tuple[Piece, Scores]]:
        chosen = frames.frames(start) if part is None else islice(frames.frames(start), max(0, part.stop - start))
        pieces = loaded._pieces(chosen, unknown_species, limit, start, skip, first_atom)  # type: ignore[arg-type]
        pieces = periodicity_told(pieces, loaded.provenance, is_shard=part is not None)
        read = stream.ahead(clock.timed("reading", pieces), may_wait=True)
        return stream.ahead((piece, score(piece)) for piece in read)

    def score(piece: Piece) -> Scores:
        with clock.stage("scoring"):
            return loaded._scores(piece, unknown_species, n_threads)

    def tell(n_frames: int, done: int) -> None:
        if progress is not None:
            progress(RunProgress(n_frames, done, n_atoms, dict(clock.seconds)))

    journal = None if identity is None else Journal(files[0].output, settings, tag)
    if part is None:
        return Job(files, journal, about, clock, skipped=skipped).run(scored, tell)
    return Job(files, journal, about, clock, tag=part.tag, first=part.first, skipped=skipped).run_shard(scored, tell)


def _loaded(model: StructureModel | str | PathLike[str]) -> tuple[StructureModel, str]:
    """The model, and the hash of its file, or of the file that it would be saved to."""
    if isinstance(model, StructureModel):
        return model, hashlib.sha256(model._to_bytes()).hexdigest()
    return load_model(model), sha256_of(Path(model))
