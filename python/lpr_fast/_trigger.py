"""The decision of a simulation to save a frame, or to stop."""

from __future__ import annotations

from typing import Literal, cast

from . import _core
from ._arrays import as_count, as_number, as_step
from ._errors import InvalidInputError

#: The limit that a step crosses.
Reason = Literal["lpr", "percentile", "unpinned"]


class Trigger:
    """A decision, at each step of a simulation, whether to save the frame or to stop.

    A step crosses a limit if its lowest LPR is below `threshold`, its lowest percentile is below `percentile`, or more
    than a share `unpinned_share` of its atoms is loose or unlike the training set. The trigger fires when `n_steps`
    scored steps in a row cross any of the given limits. It fires again only after a step that has recovered from all of
    them, and not before `cool_down` steps have passed.

    Parameters
    ----------
    threshold : float, optional
        Limit of the LPR, on the scale of the model's loss.
    release : float, optional
        The LPR has recovered when it is at or above this value: at least the threshold, and the threshold by default.
    percentile : float, optional
        Limit of the percentile, between 0 and 100; see `Scores`. It has the same meaning for all models.
    unpinned_share : float, optional
        Limit of the share, between 0 (one atom is enough) and 1. About 0.01 of the training environments themselves
        are loose or unlike.
    n_steps : int
        Number of scored steps in a row.
    cool_down : int
        Number of simulation steps between two saved frames.
    max_frames : int
        Largest number of times that the trigger fires.

    Raises
    ------
    InvalidInputError
        For values out of range, and if no limit is given.

    Examples
    --------
    >>> from lpr_fast import Trigger
    >>> trigger = Trigger(threshold=10.0, n_steps=2)
    >>> [trigger.update(step, lpr) for step, lpr in enumerate([12.0, 9.0, 8.0, 7.0])]
    [None, None, 'lpr', None]
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
        """Return the reason why this step fires, the most severe limit that it crosses; None if it does not fire.

        Parameters
        ----------
        step : int
            Number of the step, not smaller than at the last call; the same step again never fires.
        lowest_lpr : float, optional
            Lowest LPR of the watched atoms; infinity if there are none.
        lowest_percentile : float, optional
            Lowest percentile of the watched atoms; 100 if there are none.
        unpinned_share : float, optional
            Share of the watched atoms whose verdict is 1 or 2, from 0 to 1.

        Returns
        -------
        {"lpr", "percentile", "unpinned"} or None

        Raises
        ------
        InvalidInputError
            For NaN, for steps that decrease, and if a value is missing that has a limit.
        """
        given = {"lpr": lowest_lpr, "percentile": lowest_percentile, "unpinned": unpinned_share}
        missing = [name for name in self._watched if given[name] is None]
        if missing:
            names = {"lpr": "lowest_lpr", "percentile": "lowest_percentile", "unpinned": "unpinned_share"}
            raise InvalidInputError(
                f"{names[missing[0]]} is missing, but the trigger has a limit for it; give it at every step."
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
        """The quantities that have a limit."""
        return self._watched

    @property
    def n_fired(self) -> int:
        """Number of times that the trigger has fired."""
        return self._core.n_fired

    @property
    def is_exhausted(self) -> bool:
        """Whether the trigger has fired `max_frames` times and will not fire again."""
        return self._core.is_exhausted
