"""ASE: the model itself as a calculator."""

from __future__ import annotations

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from .._arrays import as_count
from .._errors import InvalidInputError
from ..atoms._model import StructureModel
from ..models._columns import prefixed_columns_of
from ._checks import check_model

_PREDICTED = ("energy", "free_energy", "energies", "forces", "stress")


class ModelCalculator(Calculator):
    """Energies, forces and stress of a model, as a calculator of ASE.

    Scores are results too, with the prefix ``lpr`` (``lpr``, ``lpr_held``, ``lpr_sigma``, ``lpr_residual``, ...; see
    `Scores` for their meaning). They are computed on request, ``calc.get_property("lpr", atoms)``, so that a run which
    needs forces only does not pay for them. ``LprCalculator(ModelCalculator(model), model)`` scores every
    configuration, and writers keep its scores.

    Parameters
    ----------
    model : SparseKernelModel or LinearModel
        A model with energies and a SOAP descriptor.
    n_threads : int
        See `Rigidity`.

    Raises
    ------
    InvalidInputError
        For models that predict no forces; on calculation, for structures with unknown species.
    """

    def __init__(self, model: StructureModel, *, n_threads: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        check_model(model)
        if not model.has_energies:
            raise InvalidInputError("this model was fitted without energies; it predicts none.")
        if model.hypers is None:
            raise InvalidInputError("the descriptor of this model is not SOAP; it predicts energies, but no forces.")
        self.model = model
        self.n_threads = as_count("n_threads", n_threads)
        self._scored = tuple(prefixed_columns_of(model.pipeline.empty_scores()))
        self.implemented_properties = [*_PREDICTED, *self._scored]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Predict, score, or both, as requested."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        asked = set(properties or ["energy"])
        assert self.atoms is not None
        if asked.intersection(_PREDICTED):
            self._predict(self.atoms)
        if asked.intersection(self._scored):
            self.results |= prefixed_columns_of(self.model.score(self.atoms, n_threads=self.n_threads))

    def _predict(self, frame: Atoms) -> None:
        found = self.model.predict(frame, n_threads=self.n_threads)
        energy = float(found.energy[0])
        self.results |= {"energy": energy, "free_energy": energy, "energies": found.energies, "forces": found.forces}
        if found.stress is not None and frame.cell.rank == 3:
            self.results["stress"] = found.stress[0]
