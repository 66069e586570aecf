"""ASE: the energy of another calculator plus a bias from the rigidities of the atoms."""

from __future__ import annotations

from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes

from .._arrays import as_count
from ..atoms._model import StructureModel
from ..atoms.predictions._bias import Bias, Towards
from ..atoms.predictions._predictions import stress_of
from ._checks import check_calculator, check_model

# The bias is not shared out among atoms.
_LEFT_OUT = ("energies", "stresses")


class BiasedCalculator(Calculator):
    r"""The energy of another calculator plus a bias that drives a run towards loose environments, or away from them.

    The bias follows from two numbers of each atom i, on the scale of the model's own training environments: how loose
    it is, :math:`l_i = \log(L_0 / \mathrm{LPR}_i)`, and how unlike the training set,
    :math:`u_i = \log(r_i / r_0)` with r the residual. LPR is the held one if the model has it.

    ``towards="loose"``: :math:`-s\, S(\hat u) \log(1 + e^{\hat l}) + \frac{s}{2} \sum_i \max(0, u_i)^2`, with
    :math:`\hat l` and :math:`\hat u` the smooth maxima over the atoms and L_0 the median of the training environments.
    The loosest atom becomes looser: a factor e of its LPR lowers the energy by s. The switch S falls from 1 to 0 while
    the largest residual rises from r_0 / 4 to r_0. Above r_0 the LPR says nothing: the first term vanishes, and the
    second is a wall.

    ``towards="known"``: :math:`\frac{s}{2} \sum_i \max(0, l_i)^2 + \max(0, u_i)^2`, a wall that atoms feel when their
    verdict is loose (L_0: one in a hundred of the training environments is looser) or unlike.

    It is a potential: forces and stress are its derivatives, and energy is conserved. ``results["bias_energy"]`` is
    what it adds.

    Parameters
    ----------
    calculator : ase.calculators.calculator.Calculator
        Calculator of the unbiased energy.
    model : SparseKernelModel or LinearModel
        A model with a SOAP descriptor and a reference.
    towards : {"loose", "known"}
        Direction of the bias.
    strength : float
        s in eV.
    power : float
        p of the smooth maxima log(sum_i e^(p x_i)) / p: for large p, only the loosest atom is driven.
    residual_limit : float, optional
        r_0; the default is that of the verdict `unlike`, 99.9 % of the training environments of the species.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        For arguments of other types, and models without a reference; on calculation, for structures that the
        model cannot score.
    """

    def __init__(
        self,
        calculator: BaseCalculator,
        model: StructureModel,
        *,
        towards: Towards = "loose",
        strength: float = 0.1,
        power: float = 8.0,
        residual_limit: float | None = None,
        n_threads: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        check_calculator("calculator", calculator)
        check_model(model)
        self.calculator = calculator
        self._bias = Bias(
            model,
            towards,
            strength=strength,
            power=power,
            residual_limit=residual_limit,
            n_threads=as_count("n_threads", n_threads),
        )
        self._added: dict[str, Any] = {}
        given = [name for name in calculator.implemented_properties if name not in _LEFT_OUT]
        self.implemented_properties = [*given, "bias_energy"]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Run the other calculator, and add the bias."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        asked = {"energy", *(properties or [])} - {"bias_energy"}
        found = {name: self.calculator.get_property(name, self.atoms) for name in sorted(asked)}  # type: ignore[no-untyped-call]
        given = {n: v for n, v in self.calculator.results.items() if n in self.implemented_properties}
        if system_changes or not self._added:
            self._added = {}  # no bias for a structure that was refused
            self._added = self._biases(self.atoms)
        self.results = {n: v + self._added[n] if n in self._added else v for n, v in (given | found).items()}
        self.results["bias_energy"] = self._added["energy"]

    def _biases(self, frame: Atoms) -> dict[str, Any]:
        """The bias of each result."""
        bias = self._bias.of(frame)
        added: dict[str, Any] = {"energy": bias.energy, "free_energy": bias.energy, "forces": bias.forces}
        if frame.cell.rank == 3:
            added["stress"] = stress_of(bias.virial, frame)
        return added
