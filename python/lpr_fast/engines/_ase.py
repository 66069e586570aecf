"""Rigidities while ASE moves atoms: a calculator around another one, and an observer that saves frames."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes
from ase.md.md import MolecularDynamics
from ase.parallel import world

from .._arrays import Array, as_count
from .._errors import InvalidInputError
from .._files import refuse_output
from .._trigger import Trigger
from ..atoms._model import StructureModel
from ..models._columns import COLUMNS, prefixed_columns_of
from ..writing._extxyz import write_frame

Columns = dict[str, Array]


def _scored(atoms: Atoms, model: StructureModel, n_threads: int) -> Columns:
    """What becomes arrays of the structure."""
    return prefixed_columns_of(model.score(atoms, n_threads=n_threads))


def _put(atoms: Atoms, columns: Columns) -> None:
    """Make these the structure's scores, from where writers take them; without any it has none."""
    for column in COLUMNS:
        atoms.arrays.pop(column.prefixed, None)
    for name, values in columns.items():
        atoms.set_array(name, values)  # type: ignore[no-untyped-call]


def _check_model(model: object) -> None:
    if not isinstance(model, StructureModel):
        raise InvalidInputError(
            f"model is a {type(model).__name__}; give a SparseKernelModel or LinearModel, as load_model does."
        )


class LprCalculator(Calculator):
    """Another calculator's energies and forces, with the rigidity of every atom beside them.

    Whatever it is asked for, it sets the arrays ``lpr``, ``lpr_variance`` and, where the model has them,
    ``lpr_residual`` and ``lpr_local_energy`` of the structure, which writers of extended XYZ keep. See `Scores` for
    their meaning. Each configuration is scored once.

    Parameters
    ----------
    calc : ase.calculators.calculator.Calculator
        Calculates energies, forces and all else; set its parameters before it is given here.
    model : SparseKernelModel or LinearModel
        Scores.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        For arguments that are something else; on calculation, for structures that the model cannot score.
    """

    def __init__(self, calc: BaseCalculator, model: StructureModel, *, n_threads: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not isinstance(calc, BaseCalculator):
            raise InvalidInputError(f"calc is {calc!r}; give a calculator of ASE, such as LennardJones().")
        _check_model(model)
        self.calc = calc
        self.model = model
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
        """Score what has moved, and let the other calculator calculate."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        moved = self.atoms if atoms is None else atoms
        assert moved is not None
        try:
            if system_changes or not self._columns:
                _put(moved, {})
                self._columns = _scored(moved, self.model, self.n_threads)
            for name in properties or self.implemented_properties[:1]:
                self.results[name] = self.calc.get_property(name, moved)  # type: ignore[no-untyped-call]
        except BaseException:
            self.reset()  # so that nothing is answered for a structure that was refused
            raise
        self.results.update({n: v for n, v in self.calc.results.items() if n in self.implemented_properties})

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:  # noqa: FBT001, FBT002
        """Calculate or remember; either way the structure gets its scores."""
        value = super().get_property(name, atoms, allow_calculation)  # type: ignore[no-untyped-call]
        if atoms is not None and self._columns and value is not None:
            _put(atoms, self._columns)
        return value


class LprObserver:
    """Scores the atoms of a molecular dynamics run, saves frames when a trigger fires, and can end the run.

    ``dynamics.attach(LprObserver(dynamics, model, trigger, path="saved.xyz"), interval=20)`` looks at every 20th step.

    Parameters
    ----------
    dynamics : ase.md.md.MolecularDynamics
        The run; its structure gets the arrays that `LprCalculator` sets.
    model : SparseKernelModel or LinearModel
        Scores.
    trigger : Trigger
        Is told the lowest LPR of all atoms. One trigger belongs to one run, whose steps go on where they were.
    path : path, optional
        Extended XYZ to which frames are appended, with all digits, the step and the lowest LPR.
    stop : bool
        Whether the run ends, as if its steps had been done, when the trigger fires for the last time. A later
        ``dynamics.run`` goes on: ask ``trigger.is_exhausted`` first.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        For arguments that are something else, and a path that cannot be written; when called, for structures that the
        model cannot score.
    """

    def __init__(
        self,
        dynamics: MolecularDynamics,
        model: StructureModel,
        trigger: Trigger,
        *,
        path: str | PathLike[str] | None = None,
        stop: bool = False,
        n_threads: int = 0,
    ) -> None:
        if not isinstance(dynamics, MolecularDynamics):
            raise InvalidInputError(f"dynamics is a {type(dynamics).__name__}; give a run of ase.md, such as Langevin.")
        _check_model(model)
        if not isinstance(trigger, Trigger):
            raise InvalidInputError(f"trigger is a {type(trigger).__name__}; give a Trigger, such as Trigger(0.01).")
        self.dynamics = dynamics
        self.model = model
        self.trigger = trigger
        self.path = None if path is None else Path(path)
        self.stop = stop
        self.n_threads = as_count("n_threads", n_threads)
        if self.path is not None:
            refuse_output(self.path, [])

    def __call__(self) -> None:
        """Look at the structure as it is now."""
        atoms: Atoms = self.dynamics.atoms
        _put(atoms, _scored(atoms, self.model, self.n_threads))
        lpr = atoms.arrays["lpr"]
        step = int(self.dynamics.nsteps)
        if not self.trigger.update(step, float(lpr.min())):
            return
        if self.stop and self.trigger.is_exhausted:
            self.dynamics.max_steps = step
        if self.path is not None and world.rank == 0:
            _save(self.path, atoms, step)


def _save(path: Path, atoms: Atoms, step: int) -> None:
    frame = atoms.copy()  # type: ignore[no-untyped-call]
    frame.info |= {"step": step, "lpr_lowest": float(frame.arrays["lpr"].min())}
    with path.open("ab") as file:
        write_frame(file, frame, {})
