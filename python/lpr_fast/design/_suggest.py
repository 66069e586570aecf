"""The structures to compute next, to raise the rigidity of given targets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import Array, as_count, as_environments, as_number, as_vector, refuse_unusable
from .._conditioning import quadratic_forms_after
from .._errors import InvalidInputError
from .._rigidity import Rigidity
from .._whitening import Whitening, holds, squared_norms
from .._words import counted
from ..atoms._frames import as_list
from ..atoms._model import StructureModel
from ..atoms.predictions._described import Indices
from ..atoms.predictions._predicted import Prediction, as_prediction
from ..models._active_set import as_seed
from ._candidates import Costs, Pool, Sources, pool_of_frames, pool_of_rows
from ._greedy import OBJECTIVES, Blocks, Budget, MeanState, Objective, RowsState, State, choose
from ._label_rows import Labels, Sigma
from ._suggestion import Choice, Column, Suggestion
from ._targets import Part, Sharing, Targets, gathered, of_frames, of_rows

if TYPE_CHECKING:
    from ase import Atoms

# Largest number of products of rows of candidates and targets.
_MOST_PRODUCTS = 2**27

# Candidates from which the time for all is estimated.
_TRIED = 16


def say_nothing(sentence: str) -> None:
    """Ignore the sentence."""


def suggest(
    model: StructureModel | Rigidity,
    targets: Iterable[Any],
    candidates: Iterable[Any],
    n: int | None = None,
    *,
    cost_budget: float | None = None,
    costs: Costs | None = None,
    sources: Sources | None = None,
    max_per_source: int | None = None,
    objective: Objective = "mean",
    column: Column | None = None,
    prediction: Prediction = "local",
    sigma: Sigma | None = None,
    loosest: int | None = None,
    target_weights: ArrayLike | Sharing | None = None,
    weights: ArrayLike | None = None,
    largest_residual: float | None = None,
    n_draws: int = 20,
    seed: int = 0,
    announce: Callable[[str], None] = say_nothing,
    n_threads: int = 0,
) -> Suggestion:
    """Choose candidates that make predictions of targets more rigid, without a refit.

    The first candidate lowers the variance of the targets most, the second lowers it most once the first is in the
    training set, and so on. The result is exact for a refit with the same active set and regularizer. Targets that are
    unlike the active set gain nothing in such a refit, and are ignored.

    Parameters
    ----------
    model : SparseKernelModel, LinearModel or Rigidity
        The present model.
    targets : iterable of ase.Atoms
        Structures. For a `Rigidity`, rows of phi (n_targets, M) of targets that the active set describes.
    candidates : iterable of ase.Atoms
        Structures to choose from; they need no labels. For a `Rigidity`, rows (n_candidates, M): phi summed over the
        atoms of each, or a list of arrays (k, M) of the rows of each.
    n : int, optional
        Number of structures to choose; needed unless `cost_budget` is given.
    cost_budget : float, optional
        Largest sum of costs. Candidates are then compared by gain per cost.
    costs : callable or array_like, shape (n_candidates,), optional
        Costs: a function of the structure, or numbers. The default is N^3 for N atoms, as in density functional theory
        (1 for rows); `len` counts atoms.
    sources : str or sequence, optional
        Sources of candidates: a key of ``Atoms.info``, such as ``"config_type"``, or a list of names.
    max_per_source : int, optional
        Largest number of candidates from one source.
    objective : {"mean", "log", "lowest"}
        What to lower: the mean variance of the targets (any number); or, for at most 10,000 targets, the mean of its
        logarithm, or the largest variance.
    column : {"lpr", "lpr_held"}, optional
        The rigidity. The default is `lpr_held` for local energies of a model with held rows, and `lpr` for total
        energies and forces.
    prediction, sigma
        As for `what_if`: the predictions of the targets, and the labels of candidates with their noise.
    loosest : int, optional
        Use only this number of targets, those of lowest LPR.
    target_weights : {"species", "frame"} or array_like, shape (n_targets,), optional
        The same sum of weights for each species, or for each frame; or one weight for each target. Default: equal
        weights.
    weights : array_like, shape (n_candidates,), optional
        Weight of each candidate in the training set; 1 by default. Structures also get the weight of the model's loss
        (1 / N^2 for a loss per atom), rows do not.
    largest_residual : float, optional
        Ignore targets with a larger residual; the default are those with the verdict ``unlike``.
    n_draws, seed : int
        Number of random choices to compare with, and their seed.
    announce : callable, optional
        Called with a sentence about the expected time, if the choice may take long.
    n_threads : int
        See `Rigidity`.

    Returns
    -------
    Suggestion

    Raises
    ------
    InvalidInputError
        For structures, rows and options that cannot be used, and if no target can be ranked.
    """
    count = as_count("n_threads", n_threads)
    if not isinstance(model, Rigidity | StructureModel):
        raise InvalidInputError(f"model is {model!r}; give a model or a Rigidity, for example load_model('model.lpr').")
    _check_options(n, cost_budget, max_per_source, objective, loosest, n_draws)
    if largest_residual is not None and not as_number("largest_residual", largest_residual) >= 0.0:
        raise InvalidInputError(f"largest_residual is {largest_residual}; it must not be negative.")
    rigidity = model if isinstance(model, Rigidity) else model.rigidity
    whitening = Whitening.of(rigidity, is_held=_is_held(rigidity, column, prediction), n_threads=count)
    shares = _shares(target_weights)
    parts: Iterator[Part]
    frames: list[Atoms] | None = None
    if isinstance(model, Rigidity):
        if isinstance(shares, str):
            raise InvalidInputError(
                f"target_weights is {shares!r}, but rows have none; give a number for each of them."
            )
        blocks = [_rows("candidates", rows, model.size) for rows in candidates]
        _refuse_empty(blocks)
        pool = pool_of_rows(whitening, blocks, weights, costs, sources)  # type: ignore[arg-type]
        parts = of_rows(_rows("targets", targets, model.size), shares)
    else:
        frames = as_list(candidates)
        _refuse_empty(frames)
        pool = pool_of_frames(whitening, model, frames, Labels.of(model, sigma, count), weights, costs, sources)
        parts = of_frames(model, targets, as_prediction(prediction), shares, largest_residual, count)
    found = gathered(parts, whitening, objective, loosest)
    if isinstance(shares, np.ndarray) and len(shares) != len(found.weights):
        raise InvalidInputError(
            f"target_weights has {counted(len(shares), 'number')} for {counted(len(found.weights), 'target')}; give "
            "one for each."
        )
    budget = Budget(n, cost_budget, pool.costs, pool.source_numbers, max_per_source)
    return _suggestion(whitening, found, pool, budget, objective, frames, (n_draws, seed), announce)


def _suggestion(
    whitening: Whitening,
    targets: Targets,
    pool: Pool,
    budget: Budget,
    objective: Objective,
    frames: list[Atoms] | None,
    draws: tuple[int, int],
    announce: Callable[[str], None],
) -> Suggestion:
    n_threads = whitening.n_threads
    count = len(pool.blocks)
    everything = np.arange(count)
    if targets.moments is None or len(pool.blocks.rows) > count:
        announce(_estimate(pool.blocks, targets, objective, n_threads, budget.n or count))
    start = _state(pool.blocks, targets, objective, n_threads)
    alone = start.gains() / start.form
    chosen, forms = choose(start.only(everything), budget)
    orders = _random_orders(count, *draws)
    everywhere = count if budget.n is None or budget.max_per_source or budget.cost else min(budget.n, count)
    farthest = budget.first_of(pool.farthest_order(n_threads, everywhere))
    joining = pool.blocks.rows[pool.blocks.numbers(np.array(chosen, dtype=np.int64))]
    after = quadratic_forms_after(targets.rows, joining, n_threads)
    with np.errstate(divide="ignore"):
        return Suggestion(
            chosen=np.array(chosen, dtype=np.int64),
            lpr=1.0 / np.array(forms),
            alone=alone,
            objective=objective,
            column="lpr_held" if whitening.is_held else "lpr",
            farthest=_choice(start, farthest),
            random=tuple(_choice(start, budget.first_of(order)) for order in orders),
            costs=pool.costs,
            cost_unit=pool.cost_unit,
            sources=pool.sources,
            blind=targets.blind,
            target_weights=targets.weights,
            followed=targets.of_rows,
            followed_now=1.0 / squared_norms(targets.rows),
            followed_after=1.0 / after,
            candidates=frames,
        )


def _state(blocks: Blocks, targets: Targets, objective: Objective, n_threads: int) -> State:
    """The state before any choice; `State.only` makes the copy that is changed."""
    if targets.moments is not None:
        return MeanState.of(blocks, targets.moments, n_threads)
    if len(blocks.rows) * len(targets.rows) > _MOST_PRODUCTS:
        raise InvalidInputError(
            f"{len(blocks.rows)} rows of candidates and {len(targets.rows)} targets are too many for the objective "
            f"{objective!r}; ask for the loosest targets (loosest, --loosest), or for the objective 'mean'."
        )
    return RowsState.of(blocks, targets.rows, targets.weights[targets.of_rows], objective, n_threads)


def _choice(start: State, candidates: list[int]) -> Choice:
    return Choice(np.array(candidates, dtype=np.int64), 1.0 / start.form_with(candidates))


def _random_orders(count: int, n_draws: int, seed: int) -> list[Indices]:
    rng = np.random.default_rng(as_seed(seed))
    return [rng.permutation(count) for _ in range(n_draws)]


def _estimate(blocks: Blocks, targets: Targets, objective: Objective, n_threads: int, n: int) -> str:
    """The expected time for all candidates, from a few."""
    count = len(blocks)
    few = blocks.only(np.arange(min(_TRIED, count)))
    begin = time.perf_counter()
    state = _state(few, targets, objective, n_threads).only(np.arange(len(few)))
    built = time.perf_counter()
    state.gains()
    state.take(0)
    steps = min(n, count)
    seconds = (built - begin + steps * (time.perf_counter() - built)) * count / len(few)
    rows = f" ({len(blocks.rows)} rows)" if len(blocks.rows) > count else ""
    n_ranked = int(np.count_nonzero(targets.weights))
    return (
        f"{steps} of {counted(count, 'candidate')}{rows} for {counted(n_ranked, 'target')} by the objective "
        f"{objective!r}: about {max(1.0, seconds):.0f} s"
    )


def _is_held(rigidity: Rigidity, column: Column | None, prediction: Prediction) -> bool:
    if column not in (None, "lpr", "lpr_held"):
        raise InvalidInputError(f"column is {column!r}; it must be 'lpr' or 'lpr_held'.")
    if column == "lpr_held" and not holds(rigidity):
        raise InvalidInputError("nothing is held, so that there is no lpr_held; give column='lpr', or hold rows first.")
    if column is None:
        return prediction == "local" and holds(rigidity)
    return column == "lpr_held"


def _refuse_empty(candidates: list[Any]) -> None:
    if not candidates:
        raise InvalidInputError("there are no candidates; give at least one structure.")


def _check_options(
    n: int | None, cost: float | None, per_source: int | None, objective: str, loosest: int | None, n_draws: int
) -> None:
    if n is None and cost is None:
        raise InvalidInputError(
            "neither n nor cost_budget was given; give the number of structures, or the largest sum of costs."
        )
    for name, value in (("n", n), ("max_per_source", per_source), ("loosest", loosest)):
        if value is not None and as_count(name, value) < 1:
            raise InvalidInputError(f"{name} is {value}; it must be at least 1.")
    if cost is not None and not as_number("cost_budget", cost) > 0.0:
        raise InvalidInputError(f"cost_budget is {cost}; it must be positive.")
    if objective not in OBJECTIVES:
        raise InvalidInputError(f"objective is {objective!r}; it must be one of {', '.join(OBJECTIVES)}.")
    if as_count("n_draws", n_draws) < 1:
        raise InvalidInputError(f"n_draws is {n_draws}; it must be at least 1.")


def _shares(weights: ArrayLike | Sharing | None) -> Array | Sharing | None:
    if weights is None or (isinstance(weights, str) and weights in ("species", "frame")):
        return weights  # type: ignore[return-value]
    if isinstance(weights, str):
        raise InvalidInputError(f"target_weights is {weights!r}; give 'species', 'frame', or a number for each target.")
    given = as_vector("target_weights", weights)
    if not (np.isfinite(given) & (given >= 0.0)).all():
        raise InvalidInputError("target_weights must be finite and not negative; give one such number for each target.")
    return given


def _rows(name: str, given: Any, size: int) -> Array:
    rows = as_environments(name, given)
    if rows.shape[1] != size:
        raise InvalidInputError(f"{name} have {rows.shape[1]} columns, expected {size}, one for each weight.")
    refuse_unusable(name, rows)
    return rows
