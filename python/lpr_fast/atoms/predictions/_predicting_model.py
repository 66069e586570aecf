"""Models that predict structures, and how what they predict and score changes when atoms move."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..._arrays import Array, as_count
from ..._errors import InvalidInputError
from ...models._posterior import Posterior, with_ensemble
from .._described_model import DescribedModel
from .._frames import threads_for
from .._pieces import Piece
from ._predictions import OfFrame, Predicting, Prediction, prediction_of
from ._rigidity_gradient import Quantity, RigidityGradient, of_atoms, of_total, wanted

if TYPE_CHECKING:
    from ase import Atoms

AnyModel = TypeVar("AnyModel", bound="PredictingModel")


class PredictingModel(DescribedModel):
    """A model with what it predicts: see `StructureModel`."""

    def predict(
        self, frames: Iterable[Atoms], *, forces: bool = True, members: bool = False, n_threads: int = 0
    ) -> Prediction:
        """Energies, forces, virials and stress.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures; a single one too.
        forces : bool
            Whether to give forces, virials and stress; without them it takes a fraction of the time.
        members : bool
            Whether to say what each member of the model predicts besides, in the same pass over the atoms.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Prediction
            Arrays over frames, or over the atoms of all frames.

        Raises
        ------
        InvalidInputError
            As `score`, for a model that was fitted without energies, members that it does not have, and forces of a
            descriptor that is not differentiable (a step as cutoff).
        """
        count, weights = as_count("n_threads", n_threads), self._weights_of(members=members)
        pieces = self.pipeline.pieces(frames, "error")
        scorer = self.pipeline.scorer
        if scorer is None:
            found = [part for piece in pieces for part in self._energies(piece, count, members=members)]
        else:
            assert self.baseline is not None
            predicting = Predicting(scorer, weights, self.baseline)
            batches = (piece.batch for piece in pieces if piece.is_last)
            found = [part for batch in batches for part in predicting.of(batch, count, forces=forces)]
        return prediction_of(found, len(weights), forces=forces and scorer is not None)

    def with_ensemble(self: AnyModel, n_members: int, *, seed: int = 0, alpha: float = 1.0) -> AnyModel:
        """The model with members drawn from the posterior of its weights, whose predictions spread as sigma says.

        They are w + alpha (s mu)^0.5 R^-1 z with z of standard normal numbers, so that their covariance is
        alpha^2 s mu H^-1. The prior variance s is that of a calibration, or of a fit to labels with noise (where s mu
        is 1); of other models it is 1, and alpha the prior standard deviation. Scores have a column `spread` then, and
        `predict` says what each member predicts: energies, forces and stress.

        The spread is that of the subset of regressors: it leaves out what the active set does not see (`residual`),
        which a calibration of the projected process counts into sigma.

        Parameters
        ----------
        n_members : int
            How many, 2 to 100,000. They take the place of members that the model had.
        seed : int
            Draws them; of more members the first are the same.
        alpha : float
            Factor of the spread, > 0.

        Returns
        -------
        SparseKernelModel or LinearModel
            Of the same kind.

        Raises
        ------
        InvalidInputError
            For numbers that cannot be used, and a model without energies.
        """
        return self._of(with_ensemble(self._model, self._posterior, n_members, seed, alpha), self._outside)

    def rigidity_gradient(
        self,
        frame: Atoms,
        quantity: Quantity = "lpr",
        *,
        atom: int | None = None,
        coefficients: ArrayLike | None = None,
        power: float | None = None,
        total: bool = False,
        n_threads: int = 0,
    ) -> RigidityGradient:
        """How rigidities, variances or residuals of a structure change when atoms move or the cell is strained.

        Say what of them is to be differentiated: that of one atom, a weighted sum over atoms, their smooth extreme, or
        that of the total energy.

        Parameters
        ----------
        frame : ase.Atoms
            One structure.
        quantity : {"lpr", "lpr_held", "variance", "residual"}
            Which of the `Scores`.
        atom : int
            Of this atom.
        coefficients : array_like, shape (n_atoms,)
            sum_i c_i q_i; with `total` that of the sum of c_i times the local energies: of a group (1 and 0), of a
            difference (1 and -1).
        power : float
            The smooth minimum (sum_i q_i^-p)^(-1/p) of lpr and lpr_held, the smooth maximum (sum_i q_i^p)^(1/p) of
            variance and residual.
        total : bool
            Of the total energy instead of local ones. Not for residuals.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        RigidityGradient

        Raises
        ------
        InvalidInputError
            As `score`, for quantities that the model does not have, and for options that say nothing or too much.
        """
        count, scorer = as_count("n_threads", n_threads), self.pipeline.scorer
        if scorer is None:
            raise InvalidInputError("the descriptor of this model is not SOAP; nobody knows how it follows the atoms.")
        structure = self._one_structure(frame)
        count = threads_for(len(structure), count)
        is_held = self._model.factor.held() is not None
        options = {"atom": atom, "coefficients": coefficients, "power": power, "total": total}
        of = wanted(quantity, len(structure), self._facts, is_held=is_held, **options)
        if not of.is_total:
            return of_atoms(scorer, structure, of, count)
        phi = self.phi([frame], n_threads=count)
        return of_total(scorer, structure, of, phi, self._posterior, self.regularizer, count)

    @cached_property
    def _posterior(self) -> Posterior:
        return Posterior.of(self._model.factor)

    def _weights_of(self, *, members: bool) -> Array:
        """Weights of the model, and behind them those of its members: (K, M)."""
        own, of_members = self._model.weights, self._model.members
        if own is None:
            raise InvalidInputError("this model was fitted without energies; it predicts none.")
        if not members:
            return own[None]
        if of_members is None:
            raise InvalidInputError(
                "this model has no members; draw them with model.with_ensemble(n_members), or fit a Committee."
            )
        return np.vstack([own, of_members])

    def _energies(self, piece: Piece, n_threads: int, *, members: bool) -> list[OfFrame]:
        """Local energies of whole frames, which a descriptor outside the core describes."""
        found = self.pipeline.found(piece, "error", n_threads, members=members)
        local = found["local_energy"][:, None]
        together = np.hstack([local, found["member_energies"]]) if members else local
        ends = np.cumsum([len(ready) for ready in piece.batch])[:-1]
        return [OfFrame(part) for part in np.split(together, ends)]
