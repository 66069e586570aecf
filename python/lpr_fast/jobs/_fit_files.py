"""A model from files of any length: two passes, memory of order M^2, and again after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from .. import _core
from .._arrays import as_count
from .._errors import InvalidInputError
from .._files import refuse_output
from ..atoms import _frames
from ..atoms._fitting import Problem, kernel_basis, no_progress, pool_for, sampled_active_set
from ..atoms._load import load_model
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..atoms._training_set import TrainingSet
from ..models._active_set import as_seed, as_size
from ..models._fit import as_positive, as_zeta, checked_provenance, solved
from ..models._scores import Loss
from ..reading._options import ReadOptions, SpeciesOption
from ._fit_job import FitJob
from ._fit_passes import Passes, passes
from ._training_files import TrainingFiles

#: Called with the name of a stage, the atoms that are done, and of all if that is known.
Progress = Callable[[str, int, "int | None"], None]


@dataclass(frozen=True)
class Options:
    """What `fit_files` takes beside files; see there."""

    hypers: Mapping[str, Any]
    regularizer: float
    n_active: int | Mapping[Any, int]
    zeta: float
    loss: Loss
    energy_key: str | None
    seed: int
    provenance: Mapping[str, Any] | None
    scheduler: Any = None
    workers: int = 0
    n_threads: int = 0
    reading: ReadOptions = field(default_factory=ReadOptions)

    def settings(self) -> dict[str, Any]:
        """Everything that the model's bytes depend on, by names that a message can use.

        Raises
        ------
        InvalidInputError
            For what needs no structures to be seen as wrong.
        """
        from ..descriptors._hypers import checked_hypers

        if isinstance(self.n_active, Mapping):
            sizes: Any = {str(s): as_count("n_active", count) for s, count in self.n_active.items()}
        else:
            sizes = as_size(self.n_active)
        return {
            "hypers": checked_hypers(self.hypers),
            "regularizer": as_positive("regularizer", self.regularizer),
            "n_active": sizes,
            "zeta": as_zeta(self.zeta),
            "loss": str(self.loss),
            "energy_key": None if self.energy_key is None else str(self.energy_key),
            "seed": as_seed(self.seed),
            "provenance": checked_provenance(self.provenance),
        }

    def problem(self, frames: _frames.Rereadable | TrainingSet, tell: Progress, **looking: Any) -> Problem:
        """What is to be fitted; see `Problem.checked`."""
        return Problem.checked(
            frames,
            hypers=self.hypers,
            regularizer=self.regularizer,
            loss=self.loss,
            weights=None,
            energy_key=self.energy_key,
            baseline=None,
            provenance=self.provenance,
            n_threads=self.n_threads,
            progress=tell,
            **looking,
        )


@dataclass(frozen=True)
class Fitted:
    """A model, and the number of structures whose rows an earlier run had added; None if there was no such run."""

    model: SparseKernelModel
    resumed_at: int | None


def fit_files(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    hypers: Mapping[str, Any],
    regularizer: float,
    n_active: int | Mapping[Any, int],
    zeta: float = 4,
    loss: Loss = "total",
    energy_key: str | None = _frames.DEFAULT_ENERGY_KEY,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
    format: str | None = None,  # noqa: A002 (the name that ASE has for it)
    topology: str | PathLike[str] | None = None,
    species: SpeciesOption = None,
    cell: str | ArrayLike | None = None,
    ignore: str | Iterable[str] = (),
    scheduler: Any = None,
    workers: int = 0,
    n_threads: int = 0,
    progress: Progress | None = None,
) -> SparseKernelModel:
    """Fit to structures in files, which need not fit in memory, and write the model file.

    Memory is of order M^2, beyond some numbers for each structure. The files are read three times: to look them
    through, for the active set, and for the rows. The model is that of `SparseKernelModel.fit`, to the last bit.

    A run that was ended by whatever it be goes on when it is called again with the same arguments: after the active
    set, or where its rows were last brought to the disk. Until then there are files ``*.unfinished`` and ``*.journal``
    beside the output, which appears when everything is done, and has the same bytes then.

    Parameters
    ----------
    source : str, path, or list of these
        Files that ASE reads, compressed or not, with its selections (``"train.xyz@::10"``), one after the other.
    output : path
        The model file.
    hypers, regularizer, n_active, zeta, loss, energy_key, seed, provenance, n_threads
        As for `SparseKernelModel.fit`.
    format, topology, species, cell, ignore
        How to read the files: see `score_trajectory`.
    scheduler : str, path, distributed.Client or cluster of Dask, optional
        Workers that compute descriptors and rows of ranges of structures: see `score_trajectory`. The bits are the
        same.
    workers : int
        Instead of a scheduler: so many processes of one thread each, on this machine.
    progress : callable, optional
        Called as ``progress(stage, atoms_done, atoms_in_all)``; the last is None if nobody knows.

    Returns
    -------
    SparseKernelModel

    Raises
    ------
    InvalidInputError
        For what `SparseKernelModel.fit` refuses, frames that cannot be read, files that change meanwhile, and an
        unfinished run with other arguments.
    """
    reading = ReadOptions.of(format=format, topology=topology, species=species, cell=cell, ignore=ignore)
    options = Options(
        hypers, regularizer, n_active, zeta, loss, energy_key, seed, provenance, scheduler, workers, n_threads, reading
    )
    return fitted(source, Path(output), options, progress or no_progress, stacklevel=3).model


def fitted(source: Any, output: Path, options: Options, tell: Progress, *, stacklevel: int = 2) -> Fitted:
    """What `fit_files` does; warnings point `stacklevel` calls up."""
    from ..writing._outputs import versions

    frames = TrainingFiles.of(source, options.reading)
    refuse_output(output, frames.files.paths)
    if output.exists() and not output.is_file():
        raise InvalidInputError(f"{output} exists and is no regular file; give the name of a file to write.")
    settings = {
        "input": frames.identity,
        **options.settings(),
        **{f"version of {name}": version for name, version in versions().items()},
        "instruction set": _core.cpu_info()[0],
    }
    job = FitJob(output, settings)
    with job.consistent():
        if not job.is_assembled:
            job.open()
            with passes(options.scheduler, options.workers) as work:
                model = _made(frames, job, options, work, tell, stacklevel + 1)
            job.assemble(model._to_bytes())
        job.publish()
    loaded = load_model(output)
    assert isinstance(loaded, SparseKernelModel)
    return Fitted(loaded, job.resumed_at)


def _made(
    frames: TrainingFiles, job: FitJob, options: Options, work: Passes, tell: Progress, stacklevel: int
) -> SparseKernelModel:
    """Both passes, or what is left of them."""
    zeta = as_zeta(options.zeta)
    if job.is_resumed:
        training, active_set = job.first_pass(frames)
        problem, basis = options.problem(training, tell), kernel_basis(active_set[0], zeta)
    else:
        pool = pool_for(options.n_active, options.seed)
        n_atoms = frames.files.n_atoms()
        problem = options.problem(frames, tell, pool=pool, seen=lambda done: tell("reading", done, n_atoms))
        describe = partial(work.features, problem)
        active_set = sampled_active_set(problem, options.n_active, pool, describe, stacklevel=stacklevel + 1)
        basis = kernel_basis(active_set[0], zeta)
        frames.refuse_changes()
        job.keep_first_pass(problem.training, active_set)
    terms = problem.terms.with_facts(active_set[1])
    targets = problem.training.targets(terms.baseline)
    accumulator = job.rows(basis.size, labelled=targets is not None)
    for _ in work.add_rows(accumulator, problem, basis, targets):
        job.checkpoint_if_due()
    try:
        frames.refuse_changes()
    except InvalidInputError:
        job.forget()
        raise
    model = solved(basis, accumulator, terms, stacklevel=stacklevel + 1)
    problem.progress("factorising", 1, 1)
    return SparseKernelModel._of(model)
