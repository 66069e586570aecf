"""Fit a model to files of any length, in memory of order M^2; a killed fit resumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from .. import _core
from .._errors import InvalidInputError
from .._files import refuse_output
from .._progress import silent
from .._words import counted
from ..atoms import _frames
from ..atoms._load import load_model
from ..atoms._model import StructureModel
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..atoms.labels._noise import Noise
from ..atoms.labels._noisy_labels import weighting
from ..atoms.labels._virial_check import warn_of_reversed_virials
from ..atoms.rows._fitting import as_active_set, descriptor_to_use, external_descriptor, frames_problem
from ..models._fit import warn_of_labels
from ..models._memory import as_bytes
from ..models._problem import Problem, basis_of, expected, finished, warn_of_risen_limits
from ..models._reference import with_reference
from ..models._scores import Loss
from ..models._settings import FitSettings, Kind, Regularizer
from ..reading._options import ReadOptions, SpeciesOption
from ._fit_job import FitJob
from ._fit_passes import Passes, passes
from ._journal import of_versions
from ._lock import locked
from ._training_files import TrainingFiles, reread_files

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._descriptor import Descriptor

#: Called with the name of a stage, the number of atoms done, and the number of all atoms (None if unknown).
Progress = Callable[[str, int, "int | None"], None]


@dataclass(frozen=True)
class Fitted:
    """A model, and the number of structures whose rows an earlier run had added (None without an earlier run)."""

    model: StructureModel
    resumed_at: int | None


@dataclass(frozen=True)
class FitOrder:
    """What to fit, from which files, and where to write it.

    Attributes
    ----------
    output, rows : pathlib.Path
        The model file, and the file of training rows (None: rows are not kept).
    wanted : mapping or Descriptor
        Parameters of SOAP, or another descriptor.
    executor : concurrent.futures.Executor, optional
        Worker processes.
    reading : ReadOptions
        How to read the files.
    remark : callable
        Called with each line that a user should see before the work begins.
    active_from : str, path, or list of these, optional
        Further files from which the active set is chosen too.
    """

    output: Path
    rows: Path | None
    wanted: Mapping[str, Any] | Descriptor
    settings: FitSettings
    executor: Executor | None
    reading: ReadOptions
    progress: Progress
    remark: Callable[[str], None]
    active_from: Any = None

    def identity(self) -> dict[str, Any]:
        """Settings that determine the bytes of the model, beside the files."""
        from ..descriptors._descriptor import descriptor_facts

        described: Any = self.wanted if isinstance(self.wanted, Mapping) else descriptor_facts(self.wanted)
        return {
            "descriptor": described,
            "rows": None if self.rows is None else str(self.rows),
            **self.settings.identity(),
        }


def fit_files(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    regularizer: Regularizer = "auto",
    hypers: Mapping[str, Any] | None = None,
    descriptor: Any = None,
    model: Kind = "sparse_kernel",
    n_active: int | Mapping[Any, int] | None = None,
    active_set: ArrayLike | SparseKernelModel | None = None,
    active_from: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    zeta: float = 4,
    loss: Loss = "total",
    weights: ArrayLike | str | None = None,
    sigmas: ArrayLike | str | None = None,
    sigma: Noise | Mapping[str, Any] | None = None,
    delta: float | Literal["auto"] = "auto",
    energy_key: str | None = _frames.DEFAULT_ENERGY_KEY,
    force_key: str | None = None,
    virial_key: str | None = None,
    group_key: str = "config_type",
    baseline: Mapping[Any, float] | Literal["isolated"] | None = None,
    hold: Iterable[Atoms] = (),
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
    format: str | None = None,  # noqa: A002 (ASE's name for it)
    topology: str | PathLike[str] | None = None,
    species: SpeciesOption = None,
    cell: str | ArrayLike | None = None,
    ignore: str | Iterable[str] = (),
    keep_rows: str | PathLike[str] | None = None,
    memory: str | int | None = None,
    executor: Executor | None = None,
    n_threads: int = 0,
    progress: Progress | None = None,
) -> StructureModel:
    """Fit a model to structures in files, which need not fit in memory, and write the model file.

    Memory is of order M^2, plus a few numbers for each structure. The files are read four times: to check them, for
    the active set, for the rows, and to score the training environments. The model has the same bits as that of
    `SparseKernelModel.fit`.

    A killed run resumes when the function is called again with the same arguments: after the active set, or at its last
    checkpoint of the rows. An unfinished run leaves files ``*.unfinished`` and ``*.journal`` beside the output. The
    output appears at the end, with the same bytes as that of a run without interruption.

    Parameters
    ----------
    source : str, path, or list of these
        Files that ASE reads, compressed or not, perhaps with its selections (``"train.xyz@::10"``).
    output : path
        The model file.
    model : {"sparse_kernel", "linear"}
        A `SparseKernelModel`, or a `LinearModel`, which has no active set and no zeta.
    active_from : str, path, or list of these, optional
        Files of further structures from which the active set is chosen too, as in `SparseKernelModel.fit`.
    regularizer, hypers, descriptor, n_active, active_set, zeta, loss, weights, sigmas, sigma, delta, energy_key, \
    force_key, virial_key, group_key, baseline, hold, seed, provenance, keep_rows, memory, n_threads
        As for `SparseKernelModel.fit`.
    format, topology, species, cell, ignore
        How to read the files: see `score_trajectory`.
    executor : concurrent.futures.Executor, optional
        Worker processes for descriptors and rows: see `score_trajectory`. The result has the same bits.
    progress : callable, optional
        Called as ``progress(stage, atoms_done, atoms_in_all)``; the last is None if it is unknown.

    Returns
    -------
    SparseKernelModel or LinearModel

    Raises
    ------
    InvalidInputError
        For arguments that `SparseKernelModel.fit` refuses, frames that cannot be read, files that change during the
        fit, and an unfinished run with other arguments.
    """
    is_kernel = model == "sparse_kernel"
    is_chosen = any(given is not None for given in (n_active, active_set, active_from))
    if not is_kernel and (model != "linear" or is_chosen):
        raise InvalidInputError(
            f"model is {model!r}; it must be 'sparse_kernel', or 'linear', which takes no active set."
        )
    settings = FitSettings(
        model,
        **weighting(
            sigma,
            delta,
            regularizer=regularizer,
            loss=loss,
            weights=weights,
            sigmas=sigmas,
            group_key=group_key,
        ),
        n_active=n_active,
        active_set=as_active_set(active_set),
        zeta=zeta,
        energy_key=energy_key,
        force_key=force_key,
        virial_key=virial_key,
        group_key=group_key,
        baseline=baseline,
        hold=tuple(hold),
        seed=seed,
        provenance=provenance,
        memory=None if memory is None else as_bytes(memory),
        n_threads=n_threads,
    )
    order = FitOrder(
        Path(output),
        None if keep_rows is None else Path(keep_rows),
        descriptor_to_use(hypers, descriptor),
        settings,
        executor,
        ReadOptions.of(format=format, topology=topology, species=species, cell=cell, ignore=ignore),
        progress or silent,
        lambda sentence: None,  # noqa: ARG005
        active_from,
    )
    return fitted(source, order, stacklevel=3).model


def fitted(source: Any, order: FitOrder, *, stacklevel: int = 2) -> Fitted:
    """Do what `fit_files` does; warnings point `stacklevel` calls up."""
    files = reread_files(source, order.reading)
    others = None if order.active_from is None else reread_files(order.active_from, order.reading)
    inputs = [*files.paths, *(() if others is None else others.paths)]
    outputs = [order.output] if order.rows is None else [order.output, order.rows]
    if len({output.resolve() for output in outputs}) < len(outputs):
        raise InvalidInputError(f"{order.output} was given for the model and for its rows; give two names.")
    for output in outputs:
        refuse_output(output, inputs)
        if output.exists() and not output.is_file():
            raise InvalidInputError(f"{output} exists and is not a regular file; give another name.")
    with locked(outputs, stacklevel=stacklevel + 1):
        further = None if others is None else TrainingFiles.of(others)
        job = _finished_job(TrainingFiles.of(files), further, order, stacklevel + 1)
    return Fitted(load_model(order.output, external_descriptor(order.wanted)), job.resumed_at)


def _finished_job(frames: TrainingFiles, further: TrainingFiles | None, order: FitOrder, stacklevel: int) -> FitJob:
    """Make the model file, or finish it."""
    from ..writing._outputs import versions

    settings = {
        "input": frames.identity,
        "active_from": None if further is None else further.identity,
        **order.identity(),
        **of_versions(versions()),
        "instruction_set": _core.cpu_info()[0],
    }
    job = FitJob(order.output, order.rows, settings)
    with closing(job), job.consistent():
        if not job.is_assembled:
            work = passes(order.executor, order.output)
            job.assemble(_fitted_model(frames, further, job, order, work, stacklevel + 1))
        job.publish()
    return job


def _fitted_model(
    frames: TrainingFiles,
    others: TrainingFiles | None,
    job: FitJob,
    order: FitOrder,
    work: Passes,
    stacklevel: int,
) -> _core.Model:
    """Do all passes, or those that an earlier run has not done."""
    if job.is_resumed:
        training, basis, further = job.first_pass(frames)
        problem = frames_problem(training, order.wanted, order.settings, order.progress)
    else:
        n_atoms = frames.files.n_atoms()
        problem = frames_problem(
            frames,
            order.wanted,
            order.settings,
            order.progress,
            active_from=others,
            seen=lambda done: order.progress("reading", done, n_atoms),
        )
        _tell_memory_and_unused_labels(problem, order.remark)
        basis, further = basis_of(problem, work.features, stacklevel=stacklevel + 1)
        for files in (frames, *(() if others is None else (others,))):
            files.refuse_changes()
        job.keep_first_pass(problem.structures, basis, further)
    warn_of_labels(problem.structures, is_fitted=order.settings.baseline is None, stacklevel=stacklevel)
    if not job.is_solved:
        sums, start = job.rows(problem, basis, further)
        for rows in work.add_rows(start, sums, problem, basis):
            job.keep(rows)
        with job.refused_for_good():
            frames.refuse_changes()
            job.solve(finished(problem, basis, sums, further, job.blocks, stacklevel=stacklevel + 1))
    model, start = job.to_score(problem)
    warn_of_reversed_virials(problem, model, stacklevel=stacklevel)
    for part, stop in work.references(start, problem, model):
        job.count(part, stop)
    with job.refused_for_good():
        frames.refuse_changes()
    warn_of_risen_limits(problem, job.reference, stacklevel=stacklevel)
    return with_reference(model, job.reference)


def _tell_memory_and_unused_labels(problem: Problem, remark: Callable[[str], None]) -> None:
    """Tell the memory that the fit needs, and the labels that it does not use."""
    size, wanted = expected(problem)
    n_features = problem.environments.n_features
    remark(f"memory    about {wanted / 1e9:.2g} GB for {size} weights and {n_features} features")
    for name, option in (("energies", "--sigma-energy"), ("forces", "--sigma-force"), ("virials", "--sigma-virial")):
        if unused := problem.structures.facts.get(f"unused_{name}_of"):
            remark(f"{name:<10}of {counted(unused, 'structure')} are not used; {option} makes the fit use them")
