"""Rigidities during runs of ASE: a calculator around another one, and an observer that saves frames."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes
from ase.md.switch_langevin import SwitchLangevin
from ase.optimize.basin import BasinHopping
from ase.parallel import world

from .._arrays import Array, as_count
from .._errors import InvalidInputError
from .._files import refuse_output
from .._trigger import Trigger
from ..atoms._model import StructureModel
from ..models._columns import COLUMNS, prefixed_columns_of
from ..writing._extxyz import write_frame
from ._checks import check_calculator, check_model, shown

Columns = dict[str, Array]


def _scored(atoms: Atoms, calc: Any, model: StructureModel, n_threads: int) -> Columns:
    """Scores of a structure, as arrays, after its calculator has run."""
    key = _features_key(model)
    if key is not None and key not in getattr(calc, "results", {}):
        raise InvalidInputError(
            f"the model reads its features from {key!r}, but the calculator has no result of that name, and arrays of "
            "a "
            "structure do not follow its atoms; add the result to the calculator, or fit with a function."
        )
    seen = atoms
    if key is not None:
        seen = atoms.copy()  # type: ignore[no-untyped-call]
        seen.calc = calc
    return prefixed_columns_of(model.score(seen, n_threads=n_threads))


def _features_key(model: StructureModel) -> str | None:
    """Name of the array of features, for models that read features from structures."""
    facts = model.descriptor
    return facts["name"] if facts is not None and facts["kind"] == "array" else None


def _put(atoms: Atoms, columns: Columns, *, in_info: bool = False) -> None:
    """Set the scores of a structure, and remove older ones."""
    for column in COLUMNS:
        atoms.arrays.pop(column.prefixed, None)
        if in_info:
            atoms.info.pop(column.prefixed, None)
    for name, values in columns.items():
        atoms.set_array(name, values)  # type: ignore[no-untyped-call]
    if in_info:
        atoms.info |= columns


class LprCalculator(Calculator):
    """Energies and forces of another calculator, and the rigidity of every atom.

    Each calculation sets the arrays ``lpr``, ``lpr_variance`` and all other scores of the model (``lpr_residual``,
    ``lpr_percentile``, ``lpr_verdict``, ...) of the structure, which writers of extended XYZ keep. See `Scores` for
    their meaning. Each configuration is scored once. If the model reads features from structures, the other calculator
    must have a result of that name.

    Parameters
    ----------
    calc : ase.calculators.calculator.Calculator
        Computes energies and forces; set its parameters before.
    model : SparseKernelModel or LinearModel
        Model that scores.
    in_info : bool
        Whether to set the same entries in the structure's ``info`` too: ASE's ``.traj`` files drop other arrays, and
        its extended XYZ keeps eight decimals of them, but both keep ``info`` with all digits.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        For arguments of other types; on calculation, for structures that the model cannot score.
    """

    def __init__(
        self, calc: BaseCalculator, model: StructureModel, *, in_info: bool = False, n_threads: int = 0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        check_calculator("calc", calc)
        check_model(model)
        self.calc = calc
        self.model = model
        self.in_info = in_info
        self.n_threads = as_count("n_threads", n_threads)
        self.implemented_properties = list(calc.implemented_properties)
        self._columns: Columns = {}

    def reset(self) -> None:
        """Forget all results."""
        super().reset()  # type: ignore[no-untyped-call]
        self._columns = {}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Run the other calculator, and score atoms that have moved."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        moved = self.atoms if atoms is None else atoms
        assert moved is not None
        try:
            for name in properties or self.implemented_properties[:1]:
                self.results[name] = self.calc.get_property(name, moved)  # type: ignore[no-untyped-call]
            if system_changes or not self._columns:
                _put(moved, {}, in_info=self.in_info)
                self._columns = _scored(moved, self.calc, self.model, self.n_threads)
        except BaseException:
            self.reset()  # no results for a structure that was refused
            raise
        kept = {*self.implemented_properties, _features_key(self.model)}
        self.results.update({n: v for n, v in self.calc.results.items() if n in kept})

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:  # noqa: FBT001, FBT002
        """Return a property, calculated or cached, and set the scores of the structure."""
        value = super().get_property(name, atoms, allow_calculation)  # type: ignore[no-untyped-call]
        if atoms is not None and self._columns and value is not None:
            _put(atoms, self._columns, in_info=self.in_info)
        return value


class LprObserver:
    """Scores the atoms of a run, saves frames when a trigger fires, and can end the run.

    ``dynamics.attach(LprObserver(dynamics, model, trigger, path="saved.xyz"), interval=20)`` checks every 20th step.

    Parameters
    ----------
    dynamics : ase.optimize.optimize.Dynamics
        A run with steps: molecular dynamics, relaxations (also of filters, which change the cell), nudged elastic
        bands, saddle-point searches, basin hopping (whose steps are the new minima). Its structures get the arrays that
        `LprCalculator` sets.
    model : SparseKernelModel or LinearModel
        Model that scores.
    trigger : Trigger
        Gets the lowest LPR and percentile, and the largest share of atoms that are loose or unlike the training set,
        over all images of a band. Use one trigger for one run.
    path : path, optional
        Extended XYZ to which frames are appended, with all digits and with ``step``, ``reason`` (see `Trigger.update`),
        ``lpr_lowest`` and, for models with a reference, ``percentile_lowest`` and ``unpinned_share``. Of a band, the
        image farthest beyond the limit is saved, with its number ``image``.
    stop : bool
        Whether the run ends when the trigger fires for the last time. A later ``dynamics.run`` continues it: check
        ``trigger.is_exhausted`` first.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        For arguments of other types, a trigger with limits on numbers that the model does not have, `stop` for runs
        that cannot be ended early, and a path that cannot be written; when called, for structures that the model cannot
        score.
    """

    def __init__(
        self,
        dynamics: Any,
        model: StructureModel,
        trigger: Trigger,
        *,
        path: str | PathLike[str] | None = None,
        stop: bool = False,
        n_threads: int = 0,
    ) -> None:
        if not _structures_of(dynamics) or not hasattr(dynamics, "nsteps"):
            raise InvalidInputError(
                f"dynamics is {shown(dynamics)}; give a run of ASE that moves atoms step by step, such as Langevin or "
                "BFGS."
            )
        check_model(model)
        if not isinstance(trigger, Trigger):
            raise InvalidInputError(f"trigger is {shown(trigger)}; give a Trigger, such as Trigger(0.01).")
        if not model.has_reference and set(trigger.watched) != {"lpr"}:
            raise InvalidInputError(
                "the trigger has a limit for percentiles or verdicts, but the model does not hold the scores of the "
                "training set; add that with model.with_reference(frames)."
            )
        if stop and not _can_be_ended(dynamics):
            raise InvalidInputError("this kind of run cannot be ended before its steps are done; leave stop out.")
        self.dynamics = dynamics
        self.model = model
        self.trigger = trigger
        self.path = None if path is None else Path(path)
        self.stop = stop
        self.n_threads = as_count("n_threads", n_threads)
        self._n_calls = 0
        if self.path is not None:
            refuse_output(self.path, [])

    def __call__(self) -> None:
        """Score the present structures, and save one if the trigger fires."""
        images = _structures_of(self.dynamics)
        for atoms in images:
            _put(atoms, _scored(atoms, atoms.calc, self.model, self.n_threads))
        seen = [_observed(atoms) for atoms in images]
        step = self._n_calls if isinstance(self.dynamics, BasinHopping) else int(self.dynamics.nsteps)
        self._n_calls += 1
        reason = self.trigger.update(
            step,
            min(each.lpr for each in seen),
            lowest_percentile=min(each.percentile for each in seen),
            unpinned_share=max(each.unpinned for each in seen),
        )
        if reason is None:
            return
        if self.stop and self.trigger.is_exhausted:
            self.dynamics.max_steps = step
        if self.path is not None and world.rank == 0:
            values = [getattr(each, reason) for each in seen]
            worst = int(np.argmax(values) if reason == "unpinned" else np.argmin(values))
            facts = {"step": step, "reason": reason, "lpr_lowest": seen[worst].lpr}
            if self.model.has_reference:
                facts |= {"percentile_lowest": seen[worst].percentile, "unpinned_share": seen[worst].unpinned}
            _save(self.path, images[worst], facts | ({"image": worst} if len(images) > 1 else {}))


@dataclass(frozen=True)
class _Observed:
    """Numbers of a structure for a trigger, by the names of its reasons."""

    lpr: float
    percentile: float
    unpinned: float


def _observed(atoms: Atoms) -> _Observed:
    percentile, verdict = (atoms.arrays.get(f"lpr_{name}", np.zeros(0)) for name in ("percentile", "verdict"))
    return _Observed(
        float(atoms.arrays["lpr"].min(initial=np.inf)),
        float(percentile.min(initial=100.0)),
        float(np.count_nonzero(verdict > 0.0) / max(len(verdict), 1)),
    )


def _structures_of(moved: Any) -> list[Atoms]:
    """The structures that a run, filter, dimer or band moves; empty for other objects."""
    if isinstance(moved, Atoms):
        return [moved]
    images = getattr(moved, "images", None)
    if images is not None:
        return [atoms for image in images for atoms in _structures_of(image)]
    inside = getattr(moved, "atoms", None)
    return [] if inside is None else _structures_of(inside)


def _can_be_ended(dynamics: Any) -> bool:
    """Whether a run checks its number of steps after each step."""
    from ase.mep.neb import NEBOptimizer
    from ase.optimize.sciopt import SciPyGradientlessOptimizer, SciPyOptimizer

    unasked = (BasinHopping, NEBOptimizer, SciPyGradientlessOptimizer, SciPyOptimizer, SwitchLangevin)
    return not isinstance(dynamics, unasked)


def _save(path: Path, atoms: Atoms, facts: dict[str, Any]) -> None:
    frame = atoms.copy()  # type: ignore[no-untyped-call]
    frame.info |= facts
    with path.open("ab") as file:
        write_frame(file, frame, {})
