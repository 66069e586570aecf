"""Scores of groups of atoms, and of weighted sums of groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._arrays import Array, as_count
from ..._errors import InvalidInputError
from ...models._scores import Columns
from .._describer import Ready
from ._grouping import Groups, members_of
from ._sums import Kind, Members, Sums

if TYPE_CHECKING:
    from ase import Atoms

    from ._summed_model import SummedModel

Indices = NDArray[np.int64]

#: Coefficients of groups: one for each, or a mapping by name.
Coefficients = ArrayLike | Mapping[str, float]


@dataclass(frozen=True)
class GroupScores(Columns):
    """Scores of groups of atoms, or of weighted sums, each of shape (n_groups,).

    It is also a mapping from the names of the arrays that are not None to the arrays: ``pandas.DataFrame(scores)``
    makes a table.

    Attributes
    ----------
    frame : numpy.ndarray of int
        Number of the frame; -1 for a sum over several frames.
    group : numpy.ndarray of str
        Name of the group.
    n_atoms : numpy.ndarray of int
        Number of atoms in the group.
    lpr, lpr_held : numpy.ndarray
        Rigidity 1 / (G^T H^-1 G), with G the weighted sum of phi, and the same with the held rows of the model fixed;
        `lpr_held` is None for models without held rows.
    variance : numpy.ndarray
        Subset-of-regressors variance mu / lpr, in units of the prior variance.
    residual : numpy.ndarray or None
        k_GG - G^T K_MM^-1 G, with k_GG the weighted sum of kernels between all atoms of the group: the distance from
        the active set. None for linear models.
    energy : numpy.ndarray or None
        The weighted sum of the local energies. None for models without energies.
    sigma : numpy.ndarray or None
        Its standard deviation in the unit of the energies. None if the prior variance is not known.
    prior_variance : float
        Factor from variances and covariances to squared energies; 0 if it is not known.
    """

    frame: Indices
    group: NDArray[np.str_]
    n_atoms: Indices
    lpr: Array
    lpr_held: Array | None
    variance: Array
    residual: Array | None
    energy: Array | None
    sigma: Array | None
    prior_variance: float
    _sums: Sums = field(repr=False)
    _model: SummedModel = field(repr=False)

    def covariance(self, kind: Kind = "sr", *, n_threads: int = 0) -> Array:
        """Return the covariances of all groups, also of different frames.

        Parameters
        ----------
        kind : {"sr", "held", "pp"}
            "sr": mu G_a^T H^-1 G_b of the subset of regressors. "held": the same with the held rows of the model fixed.
            "pp": that of the projected process, "sr" plus k_ab - G_a^T K_MM^-1 G_b, which needs kernels between all
            atoms.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n_groups, n_groups)
            In units of the prior variance, as `variance`.

        Raises
        ------
        InvalidInputError
            For an unknown kind, and for one that the model does not have.
        """
        count = as_count("n_threads", n_threads)
        if not isinstance(kind, str) or kind not in ("sr", "held", "pp"):
            raise InvalidInputError(f"kind is {kind!r}; it must be 'sr', 'held' or 'pp'.")
        if kind == "held" and self.lpr_held is None:
            raise InvalidInputError("kind is 'held', but this model has no held rows; give 'sr' or 'pp'.")
        if kind == "pp" and self.residual is None:
            raise InvalidInputError("kind is 'pp', but linear models have no residual; give 'sr' or 'held'.")
        return self._model.sum_scoring.covariance(self._sums, kind, count)

    def correlation(self, kind: Kind = "sr", *, n_threads: int = 0) -> Array:
        """Return the correlations of the groups: covariances over the roots of the variances.

        Parameters
        ----------
        kind, n_threads
            As for `covariance`.

        Returns
        -------
        numpy.ndarray, shape (n_groups, n_groups)
            NaN for groups of zero variance.

        Raises
        ------
        InvalidInputError
            As for `covariance`.
        """
        covariance = self.covariance(kind, n_threads=n_threads)
        scale = np.sqrt(np.diag(covariance))
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = np.clip(covariance / scale[:, None] / scale, -1.0, 1.0)
        return found

    def combined(self, sums: Mapping[str, Coefficients], *, n_threads: int = 0) -> GroupScores:
        """Return the scores of weighted sums of the groups, such as a vacancy minus the bulk.

        Parameters
        ----------
        sums : dict of str to array or dict
            For the name of each sum, a coefficient for each group, or a mapping from names of groups to coefficients.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        GroupScores

        Raises
        ------
        InvalidInputError
            For coefficients that do not fit, and for names of no group or of several groups.
        """
        if not isinstance(sums, Mapping) or not sums:
            raise InvalidInputError("sums is empty; give for instance {'formation': {'vacancy': 1, 'bulk': -1}}.")
        wanted = np.array([self._coefficients(str(name), given) for name, given in sums.items()])
        names = [str(name) for name in sums]
        return _scores(self._model, self._frames(wanted), names, _combined(self._sums, wanted), n_threads)

    def _frames(self, wanted: Array) -> list[int]:
        """Return the frame of each sum, -1 for several."""
        frames = [np.unique(self.frame[coefficients != 0.0]) for coefficients in wanted]
        return [int(found[0]) if len(found) == 1 else -1 for found in frames]

    def _coefficients(self, name: str, given: Any) -> Array:
        """Return a coefficient for each group."""
        if isinstance(given, Mapping):
            values = np.zeros(len(self))
            for group, value in given.items():
                values[self._number(name, str(group))] = value
            given = values
        try:
            found = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            found = np.zeros((0, 0))
        if found.shape != (len(self),) or not np.isfinite(found).all() or not found.any():
            raise InvalidInputError(
                f"the coefficients of {name!r} are not finite numbers, or all zero, or too few or too many; give one "
                f"for each group ({len(self)}), or a mapping from names of groups."
            )
        return found

    def _number(self, name: str, group: str) -> int:
        places = np.flatnonzero(self.group == group)
        if len(places) != 1:
            known = f"of {len(places)} groups; give a coefficient for each of the {len(self)} groups"
            unknown = f"of no group; give one of {', '.join(dict.fromkeys(self.group.tolist()))}"
            raise InvalidInputError(f"in the sum {name!r}, {group!r} is the name {known if len(places) else unknown}.")
        return int(places[0])


def group_scores(
    model: SummedModel, frames: Iterable[tuple[int, Ready]], groups: Groups, n_threads: int
) -> GroupScores:
    """Return the scores of the groups of numbered frames."""
    scoring = model.sum_scoring
    parts: list[Sums] = []
    names: list[str] = []
    of_frames: list[int] = []
    for number, ready in frames:
        found, members = members_of(groups, ready.frame, number)
        parts.append(scoring.sums(ready, members, n_threads, with_features=True))
        names += found
        of_frames += [number] * len(found)
    sums = Sums.joined(parts, scoring.core.size, len(scoring.species))
    return _scores(model, of_frames, names, sums, n_threads)


def group_columns(
    model: SummedModel, frame: Atoms, number: int, groups: Groups, known: NDArray[np.bool_], n_threads: int
) -> dict[str, NDArray[Any]]:
    """Return columns of the groups of a frame; scores are NaN for groups with unknown atoms."""
    names, members = members_of(groups, frame, number)
    whole = np.ones(len(names), dtype=bool)
    whole[members.sums[~known[members.atoms]]] = False
    ready = model.pipeline.describer.ready(frame, f"frame {number}")
    sums = model.sum_scoring.sums(ready, members.only(whole), n_threads, with_features=True)
    found = _scores(model, [number] * len(sums.rows), np.array(names)[whole].tolist(), sums, n_threads)

    def among_all(values: Array) -> Array:
        result = np.full(len(names), np.nan)
        result[whole] = values
        return result

    scores = {name: among_all(values) for name, values in found.items() if values.dtype == np.float64}
    return {"group": np.array(names), "atoms": _n_atoms(members), **scores}


def _scores(model: SummedModel, frames: Sequence[int], names: Sequence[str], sums: Sums, n_threads: int) -> GroupScores:
    scoring, rows = model.sum_scoring, sums.rows
    rigidity = scoring.rigidity
    holds = scoring.core.factor.held() is not None
    variance = rigidity.variance(rows, n_threads=n_threads)
    residual = (
        None if scoring.zeta is None else scoring.residuals(rows, scoring.own_kernels(sums, n_threads), n_threads)
    )
    return GroupScores(
        frame=np.array(frames, dtype=np.int64),
        group=np.array(names, dtype=np.str_),
        n_atoms=_n_atoms(sums.members),
        lpr=rigidity.lpr(rows, n_threads=n_threads),
        lpr_held=rigidity.lpr_held(rows, n_threads=n_threads) if holds else None,
        variance=variance,
        residual=residual,
        energy=scoring.energies(rows, sums.counts),
        sigma=scoring.sigmas(variance, residual),
        prior_variance=scoring.prior_variance,
        _sums=sums,
        _model=model,
    )


def _n_atoms(members: Members) -> Indices:
    """Return the number of distinct atoms of each sum."""
    pairs = np.unique(np.stack([members.sums, members.atoms]), axis=1)
    return np.bincount(pairs[0], minlength=members.count)


def _combined(sums: Sums, wanted: Array) -> Sums:
    """Return weighted sums of sums, with coefficients (n_wanted, n)."""
    rows: list[Array] = []
    counts: list[Array] = []
    weights: list[Array] = []
    of_entries = sums.members.sums
    for coefficients in wanted:
        chosen = np.flatnonzero(coefficients)
        rows.append((sums.rows[chosen] * coefficients[chosen, None]).sum(axis=0))
        counts.append((sums.counts[chosen] * coefficients[chosen, None]).sum(axis=0))
        scaled = sums.members.weights * coefficients[of_entries]
        weights.append(_added(sums.members.atoms, scaled, len(sums.numbers)))
    members = Members.of_weights(weights)
    return Sums(np.array(rows), np.array(counts), sums.features, sums.numbers, members)


def _added(places: Indices, values: Array, count: int) -> Array:
    total = np.zeros(count)
    np.add.at(total, places, values)
    return total
