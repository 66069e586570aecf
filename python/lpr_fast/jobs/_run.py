"""Score any number of frames into files, in constant memory; a killed run resumes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from .._arrays import as_count
from .._errors import InvalidInputError
from ..atoms._load import read_model
from ..atoms._model import StructureModel
from ..atoms._pipeline import UnknownSpecies
from ..reading._options import ReadOptions, SpeciesOption
from ..reading._sources import Files, source_of
from ._force_time import seconds_per_atom
from ._job import Run
from ._lock import locked
from ._memory import atoms_together
from ._scoring import OnError, RunProgress, ScoreSettings, score_shard, score_whole
from ._shards import Shard, refuse_shards, refuse_whole_run
from ._stream import Clock


def score_trajectory(
    model: StructureModel | str | PathLike[str],
    source: Any,
    sinks: Sequence[str | PathLike[str]] | None = None,
    *,
    least_rigid: int = 0,
    groups: str | None = None,
    forces: bool = False,
    unknown_species: UnknownSpecies = "error",
    on_error: OnError = "stop",
    format: str | None = None,  # noqa: A002 (ASE's name for it)
    topology: str | PathLike[str] | None = None,
    species: SpeciesOption = None,
    cell: str | ArrayLike | None = None,
    ignore: str | Iterable[str] = (),
    descriptor: Any = None,
    shard: str | None = None,
    executor: Executor | None = None,
    memory: str | int | None = None,
    n_threads: int = 0,
    progress: Callable[[RunProgress], None] | None = None,
) -> Run:
    """Score every atom of a trajectory, and write the scores to files.

    The frames need not fit in memory: reading, scoring and writing run in parallel. Results do not depend on `memory`
    or threads, and have the same bits as those of `StructureModel.score`.

    A killed run from files resumes when the function is called again with the same arguments. An unfinished run leaves
    files ``*.unfinished`` and ``*.journal`` beside the outputs. The outputs appear at the end, with the same bytes as
    those of a run without interruption.

    Parameters
    ----------
    model : StructureModel or path
        The model, or its file.
    source : str, path, list of these, or iterable of ase.Atoms
        Files that ASE reads, compressed or not, perhaps with its selections (``"md.xyz@::10"``); ``"-"`` for extended
        XYZ from standard input; or frames.
    sinks : sequence of paths, optional
        Files to write; the suffix sets the format: ``.h5`` or ``.hdf5`` (all scores, compressed), ``.csv`` (a line
        for each frame), ``.xyz`` or ``.extxyz`` (frames with scores), ``.npz`` (arrays), ``.chemiscope.json`` or
        ``.chemiscope.json.gz`` (a map of some environments). Default for ``traj.xyz``: ``traj.lpr.h5`` and
        ``traj.lpr.csv`` beside it.
    least_rigid : int
        Number of least rigid environments, all different, to write with their surroundings to
        ``<first output>.least-rigid.extxyz``.
    groups : str, optional
        Name of labels in the frames (see `StructureModel.score_groups`): scores of the groups of each frame are written
        to ``<first output>.groups.csv``.
    forces : bool
        Whether to write the uncertainty of the force on every atom too (see `StructureModel.score`); this takes many
        times as long.
    unknown_species, n_threads
        As for `StructureModel.score`.
    on_error : {"stop", "skip"}
        At a frame that cannot be read or scored: stop, or skip it and list it in the summary.
    format : str, optional
        Format of all files, by ASE's name; by default from each file's name and content.
    topology : path, optional
        A structure with the same atoms in the same order. It gives the species to files without them, and the cell to
        frames without one. XTC, TRR, DCD and NetCDF need it, and chemfiles.
    species : str, list or dict, optional
        Elements of the types 1, 2, ... of LAMMPS and VASP (``"In,P"``), or of labels (``"OW=O,HW=H"``).
    cell : str or array, optional
        Cell of frames without one, periodic in all directions: three lengths (Å), three lengths and three angles
        (degrees), or three vectors (Å).
    ignore : str or list of str, optional
        Elements and labels of atoms to drop, for example ``"X,Mw"``; the other atoms are numbered anew.
    descriptor : str, callable or Descriptor, optional
        For a model file: see `load_model`.
    shard : str, optional
        For example ``"3/100"``: score only the third of 100 equal ranges of frames; `merge_shards` joins them.
    executor : concurrent.futures.Executor, optional
        Worker processes, for example ``Client(...).get_executor()`` of Dask. They must see all files under the same
        names, and have the same versions of all packages.
    memory : str or int, optional
        Limit on memory, for example ``"2GB"``; with workers, of each worker.
    progress : callable, optional
        Called with a `RunProgress` after each batch.

    Returns
    -------
    Run

    Raises
    ------
    InvalidInputError
        For frames that cannot be read or scored, outputs that cannot be written, an unfinished run with other
        arguments, and workers that would compute other bits.
    LprError
        If a worker dies; finished work is kept, and the same call resumes.
    """
    from ..writing import _outputs

    if on_error not in ("stop", "skip"):
        raise InvalidInputError(f"on_error is {on_error!r}; it must be 'stop' or 'skip'.")
    if executor is not None and shard is not None:
        raise InvalidInputError("shard and executor were given, but a shard has no workers; give one of them.")
    clock = Clock()
    with clock.stage("reading"):
        options = ReadOptions.of(format=format, topology=topology, species=species, cell=cell, ignore=ignore)
        frames = source_of(source, options)
        models = [] if isinstance(model, StructureModel) else [Path(model)]
        loaded, digest = _loaded(model, descriptor)
        settings = ScoreSettings(
            model=loaded,
            model_sha256=digest,
            source=frames,
            outputs=_outputs.checked(sinks, frames, models),
            least_rigid=as_count("least_rigid", least_rigid),
            groups=_key(groups),
            forces=forces,
            unknown_species=unknown_species,
            on_error=on_error,
            n_threads=as_count("n_threads", n_threads),
            atoms_together=atoms_together(memory, loaded, forces=forces),
        )
        if forces and progress is not None:
            settings = _announced(settings, progress)
    with locked(settings.outputs, shared=shard is not None, stacklevel=3):
        if executor is not None:
            from ._workers import score_on_workers

            return score_on_workers(executor, settings, clock, progress)
        if shard is not None:
            return _shard(settings, shard, clock, progress)
        refuse_shards(settings.outputs[0])
        return score_whole(settings, clock, progress)


def _shard(settings: ScoreSettings, text: str, clock: Clock, progress: Callable[[RunProgress], None] | None) -> Run:
    """Do the shard of a text such as "3/100"."""
    refuse_whole_run(settings.outputs[0])
    source = settings.source
    with clock.stage("reading"):
        if isinstance(source, Files):
            source = source.read_through(on_error=settings.on_error)
        shard = Shard.of(text, source)
    with locked(settings.outputs[:1], tag=shard.tag, stacklevel=4):
        return score_shard(replace(settings, source=source), shard, clock, progress)


def _announced(settings: ScoreSettings, progress: Callable[[RunProgress], None]) -> ScoreSettings:
    """Report the time that forces will take, if the atoms can be counted quickly."""
    source = settings.source
    if isinstance(source, Files) and settings.on_error == "stop":
        source = source.read_through(only_quick=True)
    per_atom = seconds_per_atom(settings.model, source, settings.n_threads)
    progress(RunProgress(0, 0, source.n_atoms(), {}, per_atom))
    return replace(settings, source=source)


def _key(groups: str | None) -> str | None:
    """The name of labels; a run that can resume takes no other groups."""
    if groups is not None and not (isinstance(groups, str) and groups):
        raise InvalidInputError(
            "groups must be the name of labels in the frames; score other groups with score_groups."
        )
    return groups


def _loaded(model: StructureModel | str | PathLike[str], descriptor: Any) -> tuple[StructureModel, str]:
    """The model, and the hash of its file (of a model in memory: of the file that it would be saved to)."""
    if isinstance(model, StructureModel):
        return model, hashlib.sha256(model._to_bytes()).hexdigest()
    return read_model(Path(model), descriptor)
