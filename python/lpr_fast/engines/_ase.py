"""Rigidities while ASE moves atoms: a calculator around another one, and an observer that saves frames."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.md.md import MolecularDynamics

from .._errors import InvalidInputError
from .._trigger import Trigger
from ..atoms._model import StructureModel
from ..trajectories._extxyz import write_frame

_COLUMNS = {"lpr": "lpr", "lpr_variance": "variance", "lpr_residual": "residual"}


def score_into_arrays(atoms: Atoms, model: StructureModel, n_threads: int) -> None:
    """Put the scores of all atoms into the arrays of the structure, from where writers take them."""
    scores = model.score(atoms, n_threads=n_threads)
    for column, name in _COLUMNS.items():
        values = getattr(scores, name)
        if values is not None:
            atoms.arrays.pop(column, None)
            atoms.set_array(column, values)  # type: ignore[no-untyped-call]


class LprCalculator(Calculator):
    """Another calculator's energies and forces, with the rigidity of every atom beside them.

    Whenever something is calculated for new positions, the arrays ``lpr``, ``lpr_variance`` and, for kernel models,
    ``lpr_residual`` of the structure are set, so that whatever writes it keeps them. See `Scores` for their meaning.

    Parameters
    ----------
    calc : ase calculator
        Calculates energies, forces and all else.
    model : SparseKernelModel or LinearModel
        Scores.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        On calculation: for structures that the model cannot score.
    """

    def __init__(self, calc: Any, model: StructureModel, *, n_threads: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not isinstance(model, StructureModel):
            raise InvalidInputError(
                f"model is a {type(model).__name__}; give a SparseKernelModel or LinearModel, as load_model does."
            )
        self.calc = calc
        self.model = model
        self.n_threads = n_threads
        self.implemented_properties = list(calc.implemented_properties)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Calculate, and score what has moved."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        moved = self.atoms if atoms is None else atoms
        assert moved is not None
        for name in properties or self.implemented_properties[:1]:
            self.results[name] = self.calc.get_property(name, moved)
        self.results.update({n: v for n, v in self.calc.results.items() if n in self.implemented_properties})
        if system_changes or any(column not in moved.arrays for column in ("lpr", "lpr_variance")):
            score_into_arrays(moved, self.model, self.n_threads)


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
        Is told the lowest LPR of all atoms.
    path : path, optional
        Extended XYZ to which frames are appended, with all digits, the step and the lowest LPR.
    stop : bool
        Whether the run ends, as if its steps had been done, when the trigger fires for the last time.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        When called: for structures that the model cannot score.
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
        self.dynamics = dynamics
        self.model = model
        self.trigger = trigger
        self.path = None if path is None else Path(path)
        self.stop = stop
        self.n_threads = n_threads

    def __call__(self) -> None:
        """Look at the structure as it is now."""
        atoms: Atoms = self.dynamics.atoms
        score_into_arrays(atoms, self.model, self.n_threads)
        lpr = atoms.arrays["lpr"]
        step = int(self.dynamics.nsteps)
        if not self.trigger.update(step, float(lpr.min())):
            return
        if self.path is not None:
            self._save(self.path, atoms, step)
        if self.stop and self.trigger.is_exhausted:
            self.dynamics.max_steps = step

    @staticmethod
    def _save(path: Path, atoms: Atoms, step: int) -> None:
        frame = atoms.copy()  # type: ignore[no-untyped-call]
        frame.info |= {"step": step, "lowest_lpr": float(frame.arrays["lpr"].min())}
        with path.open("ab") as file:
            write_frame(file, frame, {})
