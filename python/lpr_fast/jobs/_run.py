"""Frames in, files out: any number of frames, in memory that does not grow with it, and again after a crash."""

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
    format: str | None = None,  # noqa: A002 (the name that ASE has for it)
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
        So many environments of lowest LPR that are unlike one another are written too, with what is around them, to
        ``<first output>.least-rigid.extxyz``.
    groups : str, optional
        The name of labels that frames carry (see `StructureModel.score_groups`): what the model says of the groups of
        each frame is written to ``<first output>.groups.csv``.
    forces : bool
        Whether to write what the model says of the force on every atom too (see `StructureModel.score`): it takes many
        times as long.
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
    descriptor : callable or Descriptor, optional
        For a model file: see `load_model`.
    shard : str, optional
        Such as ``"3/100"``: score only the third of so many equal ranges of frames, and leave what `merge_shards` makes
        the outputs from.
    executor : concurrent.futures.Executor, optional
        Processes that score ranges of frames, such as ``Client(...).get_executor()`` of Dask. They have to see all
        files under the same names, and have the same versions of everything.
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
        arguments, and workers that would compute other bits.
    LprError
        If a worker dies. What is done is safe: the same call goes on.
    """
    from ..writing import _outputs

    if on_error not in ("stop", "skip"):
        raise InvalidInputError(f"on_error is {on_error!r}; it must be 'stop' or 'skip'.")
    if executor is not None and shard is not None:
        raise InvalidInputError("a shard is a job of its own, without workers; give one or the other.")
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
    """Do the shard that a text such as "3/100" means."""
    refuse_whole_run(settings.outputs[0])
    source = settings.source
    with clock.stage("reading"):
        if isinstance(source, Files):
            source = source.read_through(on_error=settings.on_error)
        shard = Shard.of(text, source)
    with locked(settings.outputs[:1], tag=shard.tag, stacklevel=4):
        return score_shard(replace(settings, source=source), shard, clock, progress)


def _announced(settings: ScoreSettings, progress: Callable[[RunProgress], None]) -> ScoreSettings:
    """Tell how long forces will take, as far as atoms can be counted quickly."""
    source = settings.source
    if isinstance(source, Files) and settings.on_error == "stop":
        source = source.read_through(only_quick=True)
    per_atom = seconds_per_atom(settings.model, source, settings.n_threads)
    progress(RunProgress(0, 0, source.n_atoms(), {}, per_atom))
    return replace(settings, source=source)


def _key(groups: str | None) -> str | None:
    """The name of labels: a run that can go on takes nothing else."""
    if groups is not None and not (isinstance(groups, str) and groups):
        raise InvalidInputError(
            "groups is no name of labels; give one that the frames carry, or score other groups with score_groups."
        )
    return groups


def _loaded(model: StructureModel | str | PathLike[str], descriptor: Any) -> tuple[StructureModel, str]:
    """The model, and the hash of its file, or of the file that it would be saved to."""
    if isinstance(model, StructureModel):
        return model, hashlib.sha256(model._to_bytes()).hexdigest()
    return read_model(Path(model), descriptor)
