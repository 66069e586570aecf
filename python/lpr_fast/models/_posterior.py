"""The posterior of a model's weights: the root of its covariance, members drawn from it, variances of sums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .._arrays import Array, as_count, as_number
from .._errors import InvalidInputError
from ._active_set import as_seed
from ._archive import with_members

# Members that a model file may have.
_MOST = 100_000

# Rows of the identity that go through the triangle together.
_UNIT_ROWS = 512


@dataclass(frozen=True)
class Posterior:
    """Weights have covariance s mu H^-1 about those of the model, s the prior variance.

    Attributes
    ----------
    factor : HessianFactor
        Of H.
    inverse_root : numpy.ndarray, shape (M, n)
        R^-1, with rows of zeros for columns that were dropped: H^-1 is R^-1 R^-T.
    """

    factor: _core.HessianFactor
    inverse_root: Array

    @classmethod
    def of(cls, factor: _core.HessianFactor) -> Posterior:
        """The one with this factor."""
        root = np.empty((factor.size, len(factor.columns)))
        for first in range(0, factor.size, _UNIT_ROWS):
            unit = np.eye(min(_UNIT_ROWS, factor.size - first), factor.size, first)
            root[first : first + len(unit)] = factor.whitened(unit, 0)
        return cls(factor, root)

    def form(self, row: Array, *, is_held: bool) -> tuple[float, Array]:
        """phi^T H^-1 phi of a row of phi, or of what is left of it beside held rows, and its derivative, (M,)."""
        whitened = self.factor.whitened_held if is_held else self.factor.whitened
        z = whitened(row[None], 1)[0]
        return float((z * z).sum()), 2.0 * self._back(z[None])[0]

    def drawn(self, n_members: int, seed: int) -> Array:
        """Samples of N(0, H^-1), (n_members, M); of more members the first are the same."""
        shape = n_members, self.inverse_root.shape[1]
        return self._back(np.random.default_rng(as_seed(seed)).standard_normal(shape))

    def _back(self, z: Array) -> Array:
        """R^-1 z of rows of z. Sums of einsum are its own: their bits depend on no number of threads."""
        found: Array = np.einsum("kj,ij->ki", z, self.inverse_root)
        return found


def prior_variance(facts: Mapping[str, Any]) -> float:
    """What makes squared energies of variances: a calibration, else the noise of the labels; 1 where neither says."""
    noise = facts["noise"] if facts["loss"] == "noise" else {}
    return float({**noise, **facts.get("calibration", {})}.get("prior_variance", 1.0))


def with_ensemble(model: _core.Model, posterior: Posterior, n_members: int, seed: int, alpha: float) -> _core.Model:
    """The model with members w + alpha (s mu)^0.5 R^-1 z, in place of those that it had.

    Raises
    ------
    InvalidInputError
        For too few or too many members, alpha that is not positive, and a model without energies.
    """
    text, arrays = model.parts()
    facts = json.loads(text)
    if not 2 <= as_count("n_members", n_members) <= _MOST:
        raise InvalidInputError(f"n_members is {n_members}; a spread needs two members at least, and takes {_MOST}.")
    factor = as_number("alpha", alpha)
    if not 0.0 < factor < np.inf:
        raise InvalidInputError(f"alpha is {factor:g}; it must be positive, and 1 for a spread as large as sigma.")
    if model.weights is None:
        raise InvalidInputError("this model was fitted without energies; there is nothing that members could predict.")
    scale = factor * np.sqrt(prior_variance(facts) * facts["regularizer"])
    weights = model.weights + scale * posterior.drawn(n_members, seed)
    facts["provenance"].pop("committee", None)
    facts["provenance"]["ensemble"] = {"n_members": n_members, "seed": int(seed), "alpha": factor}
    return with_members(_core.Model.from_parts(json.dumps(facts, allow_nan=False), arrays), weights)
