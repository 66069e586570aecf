"""Models that predict energies and forces of structures, and the gradients of their scores."""

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
from ._predictions import FramePrediction, FramePredictor, Prediction, prediction_of
from ._rigidity_gradient import Quantity, RigidityGradient, gradient_request, of_atoms, of_total

if TYPE_CHECKING:
    from ase import Atoms

AnyModel = TypeVar("AnyModel", bound="PredictingModel")


class PredictingModel(DescribedModel):
    """A model that predicts energies, forces and stress: see `StructureModel`."""

    def predict(
        self, frames: Iterable[Atoms], *, forces: bool = True, members: bool = False, n_threads: int = 0
    ) -> Prediction:
        """Predict energies, forces, virials and stress.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures, or a single one.
        forces : bool
            Whether to predict forces, virials and stress; energies alone are much faster.
        members : bool
            Whether to give the predictions of each member too, in the same pass over the atoms.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Prediction
            Arrays over frames, or over the atoms of all frames.

        Raises
        ------
        InvalidInputError
            As for `StructureModel.score`, for a model without energies or without members, and for forces of a
            descriptor that is not differentiable (a step function as cutoff).
        """
        count, weights = as_count("n_threads", n_threads), self._weights_of(members=members)
        pieces = self.pipeline.pieces(frames, "error")
        scorer = self.pipeline.scorer
        if scorer is None:
            found = [part for piece in pieces for part in self._energies(piece, count, members=members)]
        else:
            predicting = FramePredictor(scorer, weights)
            batches = (piece.batch for piece in pieces if piece.is_last)
            found = [part for batch in batches for part in predicting.of(batch, count, forces=forces)]
        return prediction_of(found, len(weights), forces=forces and scorer is not None)

    def with_ensemble(self: AnyModel, n_members: int, *, seed: int = 0, alpha: float = 1.0) -> AnyModel:
        """Return the model with members drawn from the posterior of its weights; their predictions spread like sigma.

        Members have the weights w + alpha (s mu)^0.5 R^-1 z with standard normal z, so that their covariance is
        alpha^2 s mu H^-1. The prior variance s is that of a calibration, or of a fit to labels with noise (where s mu
        is 1). For other models s is 1, and alpha is the prior standard deviation. Scores get a column ``spread``, and
        `predict` gives the predictions of each member.

        The spread is that of the subset of regressors: it does not include the residual, which sigma of a calibrated
        projected process includes.

        Parameters
        ----------
        n_members : int
            Number of members, 2 to 100,000. They replace earlier members of the model.
        seed : int
            Seed of the random numbers. With the same seed, the first members are the same for any `n_members`.
        alpha : float
            Factor of the spread, > 0.

        Returns
        -------
        SparseKernelModel or LinearModel
            A model of the same kind.

        Raises
        ------
        InvalidInputError
            For numbers out of range, and a model without energies.
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
        """Return the gradient of rigidities, variances or residuals with respect to positions and strain.

        Give one of `atom`, `coefficients`, `power` and `total` to select a scalar function of the scores q_i.

        Parameters
        ----------
        frame : ase.Atoms
            The structure.
        quantity : {"lpr", "lpr_held", "variance", "residual"}
            The score q, as in `Scores`.
        atom : int, optional
            The score of this atom.
        coefficients : array_like, shape (n_atoms,), optional
            The sum over c_i q_i. With `total` it is the score of the sum over c_i times the local energies: of a group
            (1 and 0), or of a difference (1 and -1).
        power : float, optional
            A smooth extreme over the atoms: the minimum (sum_i q_i^-p)^(-1/p) of lpr and lpr_held, the maximum
            (sum_i q_i^p)^(1/p) of variance and residual.
        total : bool
            The score of the total energy, in place of local ones. Not for residuals.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        RigidityGradient

        Raises
        ------
        InvalidInputError
            As for `StructureModel.score`, for quantities that the model does not have, and for none or several of the
            options.
        """
        count, scorer = as_count("n_threads", n_threads), self.pipeline.scorer
        if scorer is None:
            raise InvalidInputError(
                "the descriptor of this model is not SOAP and has no derivatives; use a model with hypers."
            )
        structure = self._one_structure(frame)
        count = threads_for(len(structure), count)
        is_held = self._model.factor.held() is not None
        options = {"atom": atom, "coefficients": coefficients, "power": power, "total": total}
        of = gradient_request(quantity, len(structure), self._facts, is_held=is_held, **options)
        if not of.is_total:
            return of_atoms(scorer, structure, of, count)
        phi = self.phi([frame], n_threads=count)
        return of_total(scorer, structure, of, phi, self._posterior, self.regularizer, count)

    @cached_property
    def _posterior(self) -> Posterior:
        return Posterior.of(self._model.factor)

    def _weights_of(self, *, members: bool) -> Array:
        """Return the weights of the model, followed by those of its members: (K, M)."""
        own, of_members = self._model.weights, self._model.members
        if own is None:
            raise InvalidInputError("this model was fitted without energies and predicts none; fit it with energies.")
        if not members:
            return own[None]
        if of_members is None:
            raise InvalidInputError(
                "this model has no members; draw them with model.with_ensemble(n_members), or fit a Committee."
            )
        return np.vstack([own, of_members])

    def _energies(self, piece: Piece, n_threads: int, *, members: bool) -> list[FramePrediction]:
        """Return local energies of whole frames, for a descriptor that is not the core's."""
        found = self.pipeline.found(piece, "error", n_threads, members=members)
        local = found["local_energy"][:, None]
        together = np.hstack([local, found["member_energies"]]) if members else local
        ends = np.cumsum([len(ready) for ready in piece.batch])[:-1]
        return [FramePrediction(part) for part in np.split(together, ends)]
