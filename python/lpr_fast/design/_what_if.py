"""Rigidities after structures join the training set, without a refit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import Array, as_count, as_environments, refuse_unusable
from .._conditioning import quadratic_forms_after
from .._errors import InvalidInputError
from .._rigidity import Rigidity
from .._whitening import Whitening, holds, squared_norms
from .._words import counted
from ..atoms._model import StructureModel
from ..atoms.predictions._described import Indices, Mask, blind
from ..atoms.predictions._predicted import Predicted, Prediction, as_prediction, predicted
from ..models._scores import LocalScores
from ._candidates import positive
from ._label_rows import Labels, Sigma, described_totals

if TYPE_CHECKING:
    from ase import Atoms

# Largest size of the table of candidates and targets.
_MOST_PAIRS = 2**27


@dataclass(frozen=True)
class WhatIf:
    """Rigidities of targets now, and after each candidate alone has joined the training set.

    They equal those of a refit with the same active set, regularizer and held rows.

    Attributes
    ----------
    lpr, variance : numpy.ndarray, shape (n_candidates, n_targets)
        After each candidate. The variance is mu / LPR (1 / LPR without a regularizer), in units of the prior variance.
        For a model with noise, 1 / LPR is the variance in squared units of the prediction.
    lpr_held : numpy.ndarray, shape (n_candidates, n_targets), or None
        The same with held rows; None for models without.
    lpr_now, variance_now, lpr_held_now : numpy.ndarray, shape (n_targets,)
        Before any candidate.
    frame, atom : numpy.ndarray of int, shape (n_targets,), or None
        Frame and atom of each target; None for rows. The atom of a total energy is -1; the components x, y, z of a
        force are consecutive.
    blind : numpy.ndarray of bool, shape (n_targets,), or None
        Targets that are unlike the active set (verdict ``unlike``): their numbers mean nothing. None if unknown.
    """

    lpr: Array
    lpr_held: Array | None
    variance: Array
    lpr_now: Array
    lpr_held_now: Array | None
    variance_now: Array
    frame: Indices | None = None
    atom: Indices | None = None
    blind: Mask | None = None

    @property
    def enhancement(self) -> Array:
        """LPR after over LPR now, minus one: (n_candidates, n_targets)."""
        with np.errstate(invalid="ignore"):
            return self.lpr / self.lpr_now - 1.0


def what_if(
    model: StructureModel | Rigidity,
    candidates: Iterable[Any],
    targets: Iterable[Any],
    *,
    prediction: Prediction = "local",
    sigma: Sigma | None = None,
    weights: ArrayLike | None = None,
    n_threads: int = 0,
) -> WhatIf:
    """Rigidities of targets after each candidate joins the training set, without a refit.

    With z = R^-T phi and R^T R = H, a candidate row x of weight w lowers ``phi^T H^-1 phi = |z|^2`` to
    ``|z|^2 - (z . z_x)^2 / (1 + |z_x|^2)``, z_x = sqrt(w) R^-T x (Sherman and Morrison), computed without loss of
    digits; k rows Z lower it to z^T (1 + Z^T Z)^-1 z (Woodbury), by a QR within their span.

    Parameters
    ----------
    model : SparseKernelModel, LinearModel or Rigidity
        The present model; its active set stays the same.
    candidates : iterable of ase.Atoms, or of lists of them
        Structures, which need no labels; those of a list join together. For a `Rigidity`, rows (n, M): phi summed over
        the atoms, or a list of arrays (k, M) of rows that join together.
    targets : iterable of ase.Atoms
        Structures. For a `Rigidity`, rows of phi (n, M), or sums and means of them.
    prediction : {"local", "total", "force"}
        The targets: the local energy of every atom, the total energy of every structure, or every force component.
    sigma : mapping or Noise, optional
        Labels of candidates and their standard deviations, as for `SparseKernelModel.fit`: for example
        ``{"energy": 0.01, "force": 0.1}``. The default is the model's noise, and energies only for a model without
        noise. For such a model, a label has the weight (sigma of the energy / sigma)^2; its energies have weight 1, and
        their sigma is that of the label in the loss (total energy, or energy per atom).
    weights : array_like, shape (n_candidates,), optional
        Weight of each candidate's squared residuals; 1 by default. Structures also get the weight of the model's loss
        (1 / N^2 for a loss per atom), rows do not.
    n_threads : int
        See `Rigidity`.

    Returns
    -------
    WhatIf

    Raises
    ------
    InvalidInputError
        For structures and rows that cannot be used, and too many pairs.
    """
    count = as_count("n_threads", n_threads)
    if isinstance(model, Rigidity):
        phi = as_environments("targets", targets)  # type: ignore[arg-type]
        blocks = [as_environments("a candidate", rows) for rows in candidates]
        return _found(model, _weighted(blocks, weights, model.size), phi, count)
    parts = list(predicted(model, targets, as_prediction(prediction), _unlike, count))
    order = np.argsort(_of_all(parts, "place"))
    phi = np.concatenate([np.zeros((0, model.rigidity.size)), *(part.phi for part in parts)])[order]
    labels = Labels.of(model, sigma, count)
    blocks = [_rows(labels, _as_group(group)) for group in candidates]
    found = _found(model.rigidity, _weighted(blocks, weights, model.rigidity.size), phi, count)
    is_known = model.has_reference or model.active_features is None
    seen = _of_all(parts, "blind")[order].astype(bool) if is_known else None
    return replace(found, frame=_of_all(parts, "frame")[order], atom=_of_all(parts, "atom")[order], blind=seen)


def _unlike(scores: LocalScores) -> Mask:
    """Atoms that are unlike the active set, if that is known."""
    return np.zeros(len(scores.lpr), dtype=bool) if scores.verdict is None else blind(scores, None)


def _of_all(parts: list[Predicted], name: str) -> Indices:
    return np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(part, name) for part in parts)])


def _rows(labels: Labels, group: list[Atoms]) -> Array:
    totals, _ = described_totals(labels.model, group, "candidates", labels.n_threads)
    return np.concatenate([labels.rows(frame, total) for frame, total in zip(group, totals, strict=True)])


def _as_group(candidate: Any) -> list[Atoms]:
    from ase import Atoms

    group = [candidate] if isinstance(candidate, Atoms) else list(candidate)
    if not group:
        raise InvalidInputError("a candidate is an empty list; give a structure, or a list of structures.")
    return group


def _weighted(blocks: list[Array], weights: ArrayLike | None, size: int) -> list[Array]:
    """Rows times the roots of their weights."""
    for c, block in enumerate(blocks):
        if block.shape[1] != size:
            raise InvalidInputError(
                f"candidate {c} has {block.shape[1]} columns, expected {size}, one for each weight of the model."
            )
        refuse_unusable(f"candidate {c}", block)
    if weights is None:
        return blocks
    roots = np.sqrt(positive("weights", weights, len(blocks), least=0.0)).tolist()
    return [root * block for root, block in zip(roots, blocks, strict=True)]


def _found(rigidity: Rigidity, blocks: list[Array], phi: Array, n_threads: int) -> WhatIf:
    if len(blocks) * len(phi) > _MOST_PAIRS:
        raise InvalidInputError(
            f"{counted(len(blocks), 'candidate')} and {counted(len(phi), 'target')} make a table of "
            f"{len(blocks) * len(phi)} numbers, more than {_MOST_PAIRS}; give fewer, or use suggest, which needs no "
            "table."
        )
    scale = rigidity.regularizer or 1.0
    now, after = _forms(Whitening.of(rigidity, is_held=False, n_threads=n_threads), blocks, phi)
    held_now, held_after = None, None
    if holds(rigidity):
        whitening = Whitening.of(rigidity, is_held=True, n_threads=n_threads)
        held_now, held_after = map(_lpr, _forms(whitening, blocks, phi))
    return WhatIf(_lpr(after), held_after, scale * after, _lpr(now), held_now, scale * now)


def _forms(whitening: Whitening, blocks: list[Array], phi: Array) -> tuple[Array, Array]:
    """Quadratic forms of the targets: now, and after each candidate."""
    targets = whitening.rows(phi)
    after = [quadratic_forms_after(targets, whitening.rows(block), whitening.n_threads) for block in blocks]
    return squared_norms(targets), np.array(after).reshape(len(blocks), len(phi))


def _lpr(forms: Array) -> Array:
    with np.errstate(divide="ignore"):
        return 1.0 / forms
