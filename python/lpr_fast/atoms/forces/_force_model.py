"""Models that score predicted forces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..._arrays import as_count
from .._pipeline import UnknownSpecies
from ..sums._summed_model import SummedModel
from ._force_rigidity import ForceRigidity, ForceScoring, all_force_rigidities, force_scoring

if TYPE_CHECKING:
    from ase import Atoms


class ForceModel(SummedModel):
    """A model that scores the forces that it predicts: see `StructureModel`."""

    def force_rigidity(
        self,
        frames: Iterable[Atoms],
        *,
        exact_residual: bool = False,
        unknown_species: UnknownSpecies = "error",
        n_threads: int = 0,
    ) -> ForceRigidity:
        """Return covariance, rigidity and standard deviation of the force on every atom.

        With F the three rows of the force (see `gradient_rows`) the covariance is mu F H^-1 F^T. The rows cost 6 M D
        operations for each neighbour, many times the cost of a score.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures, or a single one.
        exact_residual : bool
            Whether to add the covariance of the residual (kernel models): the variance is then that of the projected
            process, which grows far from the active set, unlike that of the subset of regressors.
        unknown_species, n_threads
            As for `StructureModel.score`.

        Returns
        -------
        ForceRigidity
            Named arrays of shape (n_atoms,), and covariances of shape (n_atoms, 3, 3).

        Raises
        ------
        InvalidInputError
            As for `StructureModel.score`, for descriptors without derivatives, and for the residual of a linear model.
        """
        count = as_count("n_threads", n_threads)
        scoring = self.force_scoring(exact_residual=exact_residual)
        marks = unknown_species == "nan"
        pieces = self.pipeline.pieces(frames, unknown_species)
        parts = [scoring.of_piece(piece, count, marks=marks) for piece in pieces]
        return all_force_rigidities([scoring.empty(), *parts])

    def force_scoring(self, *, exact_residual: bool = False) -> ForceScoring:
        """Return the object that scores forces; internal."""
        gradients, scorer = self.gradient_basis, self.pipeline.scorer
        assert scorer is not None  # only descriptors of the core have derivatives
        sums, calibration = self.sum_scoring, self.force_calibration
        constant = sums.prior_variance if calibration is None or exact_residual else calibration.prior_variance
        return force_scoring(sums, gradients, scorer, constant, exact_residual=exact_residual)
