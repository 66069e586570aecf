"""When a simulation should save a frame, or stop."""

from __future__ import annotations

from typing import Literal, cast

from . import _core
from ._arrays import as_count, as_number, as_step
from ._errors import InvalidInputError

#: The limit that a step is beyond.
Reason = Literal["lpr", "percentile", "unpinned"]


class Trigger:
    """Decides, step by step, when a simulation is worth a saved frame, or the end of the run.

    A step is beyond a limit if its lowest LPR is below `threshold`, its lowest percentile below `percentile`, or more
    than a share `unpinned_share` of its atoms loose or unlike the training set. The trigger fires when `n_steps` scored
    steps one after the other are beyond any of the limits that it was given; then again only after a step that has
    recovered from all of them, and not before `cool_down` steps have passed.

    Parameters
    ----------
    threshold : float, optional
        LPR, on the scale of the model's loss.
    release : float, optional
        The LPR has recovered when it is at or above this: at least the threshold, which it is by default.
    percentile : float, optional
        Between 0 and 100; see `Scores`. On the same scale for all models.
    unpinned_share : float, optional
        Between 0, for which one atom is enough, and 1. Of the training environments themselves about 0.01 are loose or
        unlike.
    n_steps : int
        Scored steps in a row.
    cool_down : int
        Steps of the simulation.
    max_frames : int
        It fires no more often than this.

    Raises
    ------
    InvalidInputError
        For values that cannot be meant, and where there is no limit.
    """

    def __init__(
        self,
        threshold: float | None = None,
        *,
        release: float | None = None,
        percentile: float | None = None,
        unpinned_share: float | None = None,
        n_steps: int = 1,
        cool_down: int = 0,
        max_frames: int = 1,
    ) -> None:
        limits = {"lpr": threshold, "percentile": percentile, "unpinned": unpinned_share}
        self._watched = tuple(cast("Reason", name) for name, limit in limits.items() if limit is not None)
        self._core = _core.Trigger(
            0.0 if threshold is None else as_number("threshold", threshold),
            0.0 if release is None else as_number("release", release),
            0.0 if percentile is None else as_number("percentile", percentile),
            1.0 if unpinned_share is None else as_number("unpinned_share", unpinned_share),
            as_count("n_steps", n_steps),
            as_step("cool_down", cool_down),
            as_count("max_frames", max_frames),
        )

    def update(
        self,
        step: int,
        lowest_lpr: float | None = None,
        *,
        lowest_percentile: float | None = None,
        unpinned_share: float | None = None,
    ) -> Reason | None:
        """Why this step fires: the gravest limit that it is beyond; None if it does not fire.

        Parameters
        ----------
        step : int
            Number of the step, not smaller than at the last call; the same step again never fires.
        lowest_lpr, lowest_percentile : float
            Of the atoms that are watched; infinity and 100 where there are none.
        unpinned_share : float
            Share of these atoms whose verdict is 1 or 2, from 0 to 1.

        Raises
        ------
        InvalidInputError
            For NaN, steps that decrease, and where something is missing that the trigger has a limit for.
        """
        given = {"lpr": lowest_lpr, "percentile": lowest_percentile, "unpinned": unpinned_share}
        missing = [name for name in self._watched if given[name] is None]
        if missing:
            names = {"lpr": "lowest_lpr", "percentile": "lowest_percentile", "unpinned": "unpinned_share"}
            raise InvalidInputError(
                f"the trigger has a limit for {names[missing[0]]}, which was not given; give it for every step."
            )
        reason = self._core.update(
            as_step("step", step),
            float("inf") if lowest_lpr is None else as_number("lowest_lpr", lowest_lpr),
            100.0 if lowest_percentile is None else as_number("lowest_percentile", lowest_percentile),
            0.0 if unpinned_share is None else as_number("unpinned_share", unpinned_share),
        )
        return cast("Reason | None", reason)

    @property
    def watched(self) -> tuple[Reason, ...]:
        """What it has a limit for."""
        return self._watched

    @property
    def n_fired(self) -> int:
        """How often it has fired."""
        return self._core.n_fired

    @property
    def is_exhausted(self) -> bool:
        """Whether it will never fire again."""
        return self._core.is_exhausted
