"""Posterior of the weights of a model: the root of its covariance, members drawn from it, quadratic forms."""

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

# Largest number of members of a model file.
_MOST = 100_000

# Rows of the identity in one call.
_UNIT_ROWS = 512


@dataclass(frozen=True)
class Posterior:
    """Posterior of the weights: their covariance is s mu H^-1, with s the prior variance.

    Attributes
    ----------
    factor : HessianFactor
        The factor of H.
    inverse_root : numpy.ndarray, shape (M, n)
        R^-1, with rows of zeros for dropped columns: H^-1 = R^-1 R^-T.
    """

    factor: _core.HessianFactor
    inverse_root: Array

    @classmethod
    def of(cls, factor: _core.HessianFactor) -> Posterior:
        """Return the posterior for a factor of H."""
        root = np.empty((factor.size, len(factor.columns)))
        for first in range(0, factor.size, _UNIT_ROWS):
            unit = np.eye(min(_UNIT_ROWS, factor.size - first), factor.size, first)
            root[first : first + len(unit)] = factor.whitened(unit, 0)
        return cls(factor, root)

    def form(self, row: Array, *, is_held: bool) -> tuple[float, Array]:
        """Return phi^T H^-1 phi of a row, with held rows fixed if `is_held`, and its derivative, (M,)."""
        whitened = self.factor.whitened_held if is_held else self.factor.whitened
        z = whitened(row[None], 1)[0]
        return float((z * z).sum()), 2.0 * self._back(z[None])[0]

    def drawn(self, n_members: int, seed: int) -> Array:
        """Return samples of N(0, H^-1), (n_members, M); the first ones are the same for any number."""
        shape = n_members, self.inverse_root.shape[1]
        return self._back(np.random.default_rng(as_seed(seed)).standard_normal(shape))

    def _back(self, z: Array) -> Array:
        """Return R^-1 z of rows z, by einsum, whose bits do not depend on the number of threads."""
        found: Array = np.einsum("kj,ij->ki", z, self.inverse_root)
        return found


def prior_variance(facts: Mapping[str, Any]) -> float:
    """Return the factor from variances to squared energies: of a calibration, else of the noise, else 1."""
    noise = facts["noise"] if facts["loss"] == "noise" else {}
    return float({**noise, **facts.get("calibration", {})}.get("prior_variance", 1.0))


def with_ensemble(model: _core.Model, posterior: Posterior, n_members: int, seed: int, alpha: float) -> _core.Model:
    """Return the model with members w + alpha (s mu)^0.5 R^-1 z, in place of earlier members.

    Raises
    ------
    InvalidInputError
        For too few or too many members, an alpha that is not positive, and a model without energies.
    """
    text, arrays = model.parts()
    facts = json.loads(text)
    if not 2 <= as_count("n_members", n_members) <= _MOST:
        raise InvalidInputError(f"n_members is {n_members}; it must be from 2 to {_MOST}.")
    factor = as_number("alpha", alpha)
    if not 0.0 < factor < np.inf:
        raise InvalidInputError(f"alpha is {factor:g}; it must be positive (1 gives a spread as large as sigma).")
    if model.weights is None:
        raise InvalidInputError(
            "this model was fitted without energies, so members would predict nothing; fit it with energies."
        )
    scale = factor * np.sqrt(prior_variance(facts) * facts["regularizer"])
    weights = model.weights + scale * posterior.drawn(n_members, seed)
    facts["provenance"].pop("committee", None)
    facts["provenance"]["ensemble"] = {"n_members": n_members, "seed": int(seed), "alpha": factor}
    return with_members(_core.Model.from_parts(json.dumps(facts, allow_nan=False), arrays), weights)
