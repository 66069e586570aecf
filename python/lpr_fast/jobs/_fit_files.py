"""A model from files of any length: three passes, memory of order M^2, and again after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from .. import _core
from .._errors import InvalidInputError
from .._files import refuse_output
from .._progress import silent
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
from ..models._problem import Problem, basis_of, expected, finished
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

#: Called with the name of a stage, the atoms that are done, and of all if that is known.
Progress = Callable[[str, int, "int | None"], None]


@dataclass(frozen=True)
class Fitted:
    """A model, and the number of structures whose rows an earlier run had added; None if there was no such run."""

    model: StructureModel
    resumed_at: int | None


@dataclass(frozen=True)
class FitOrder:
    """What is to be fitted from files, and where it goes.

    Attributes
    ----------
    output, rows : pathlib.Path
        The model file, and the file of training rows if they are to be kept.
    wanted : mapping or Descriptor
        Parameters of SOAP, or what else describes structures.
    executor : concurrent.futures.Executor, optional
        Processes to work in.
    reading : ReadOptions
        How to read the files.
    remark : callable
        Told, in a sentence, what a user should know before the work begins.
    active_from : str, path, or list of these, optional
        Further files whose environments may become active.
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
        """What the model's bytes depend on, beside the files."""
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
    format: str | None = None,  # noqa: A002 (the name that ASE has for it)
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
    """Fit to structures in files, which need not fit in memory, and write the model file.

    Memory is of order M^2, beyond some numbers for each structure. The files are read four times: to look them
    through, for the active set, for the rows, and to score the training environments. The model is that of
    `SparseKernelModel.fit`, to the last bit.

    A run that was ended by whatever it be goes on when it is called again with the same arguments: after the active
    set, or where its rows were last brought to the disk. Until then there are files ``*.unfinished`` and ``*.journal``
    beside the output, which appears when everything is done, and has the same bytes then.

    Parameters
    ----------
    source : str, path, or list of these
        Files that ASE reads, compressed or not, with its selections (``"train.xyz@::10"``), one after the other.
    output : path
        The model file.
    model : {"sparse_kernel", "linear"}
        What is fitted: a `SparseKernelModel` or a `LinearModel`, which has no active set and no zeta.
    active_from : str, path, or list of these, optional
        Files of the further structures that `SparseKernelModel.fit` takes here, read as `source` is.
    regularizer, hypers, descriptor, n_active, active_set, zeta, loss, weights, sigmas, sigma, delta, energy_key, \
    force_key, virial_key, group_key, baseline, hold, seed, provenance, keep_rows, memory, n_threads
        As for `SparseKernelModel.fit`.
    format, topology, species, cell, ignore
        How to read the files: see `score_trajectory`.
    executor : concurrent.futures.Executor, optional
        Processes that describe ranges of structures and make their rows: see `score_trajectory`. The bits are the
        same.
    progress : callable, optional
        Called as ``progress(stage, atoms_done, atoms_in_all)``; the last is None if nobody knows.

    Returns
    -------
    SparseKernelModel or LinearModel

    Raises
    ------
    InvalidInputError
        For what `SparseKernelModel.fit` refuses, frames that cannot be read, files that change meanwhile, and an
        unfinished run with other arguments.
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
    """What `fit_files` does; warnings point `stacklevel` calls up."""
    files = reread_files(source, order.reading)
    others = None if order.active_from is None else reread_files(order.active_from, order.reading)
    inputs = [*files.paths, *(() if others is None else others.paths)]
    outputs = [order.output] if order.rows is None else [order.output, order.rows]
    if len({output.resolve() for output in outputs}) < len(outputs):
        raise InvalidInputError(f"{order.output} is to hold the model and its rows; give the rows another name.")
    for output in outputs:
        refuse_output(output, inputs)
        if output.exists() and not output.is_file():
            raise InvalidInputError(f"{output} exists and is no regular file; give the name of a file to write.")
    with locked(outputs, stacklevel=stacklevel + 1):
        further = None if others is None else TrainingFiles.of(others)
        job = _done(TrainingFiles.of(files), further, order, stacklevel + 1)
    return Fitted(load_model(order.output, external_descriptor(order.wanted)), job.resumed_at)


def _done(frames: TrainingFiles, further: TrainingFiles | None, order: FitOrder, stacklevel: int) -> FitJob:
    """Make the model file, or what is left to do of it."""
    from ..writing._outputs import versions

    settings = {
        "input": frames.identity,
        "active_from": None if further is None else further.identity,
        **order.identity(),
        **of_versions(versions()),
        "instruction_set": _core.cpu_info()[0],
    }
    job = FitJob(order.output, order.rows, settings)
    with job.consistent():
        if not job.is_assembled:
            work = passes(order.executor, order.output)
            job.assemble(_made(frames, further, job, order, work, stacklevel + 1))
        job.publish()
    return job


def _made(
    frames: TrainingFiles,
    others: TrainingFiles | None,
    job: FitJob,
    order: FitOrder,
    work: Passes,
    stacklevel: int,
) -> _core.Model:
    """All passes, or what is left of them."""
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
        _say_beforehand(problem, order.remark)
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
    return with_reference(model, job.reference)


def _say_beforehand(problem: Problem, remark: Callable[[str], None]) -> None:
    """What the fit will take of memory, and what it does not use."""
    size, wanted = expected(problem)
    n_features = problem.environments.n_features
    remark(f"memory    about {wanted / 1e9:.2g} GB: {size} weights, {n_features} features of an environment")
    for name, option in (("energies", "--sigma-energy"), ("forces", "--sigma-force"), ("virials", "--sigma-virial")):
        if unused := problem.structures.facts.get(f"unused_{name}_of"):
            remark(f"{name:<10}of {unused} structures are not used; {option} fits to them too")
