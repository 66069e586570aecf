"""When a simulation should save a frame, or stop."""

from __future__ import annotations

from . import _core
from ._arrays import as_count, as_number, as_step


class Trigger:
    """Decides, step by step, when the lowest LPR of a simulation is worth a saved frame or the end of the run.

    It fires when the lowest LPR is below `threshold` at `n_steps` scored steps one after the other; then again only
    after the LPR has been at or above `release`, and not before `cool_down` steps have passed.

    Parameters
    ----------
    threshold : float
        LPR, on the scale of the model's loss.
    release : float, optional
        At least the threshold, which it is by default.
    n_steps : int
        Scored steps in a row.
    cool_down : int
        Steps of the simulation.
    max_frames : int
        It fires no more often than this.

    Raises
    ------
    InvalidInputError
        For values that cannot be meant.
    """

    def __init__(
        self,
        threshold: float,
        *,
        release: float | None = None,
        n_steps: int = 1,
        cool_down: int = 0,
        max_frames: int = 1,
    ) -> None:
        lowest = as_number("threshold", threshold)
        self._core = _core.Trigger(
            lowest,
            lowest if release is None else as_number("release", release),
            as_count("n_steps", n_steps),
            as_step("cool_down", cool_down),
            as_count("max_frames", max_frames),
        )

    def update(self, step: int, lowest_lpr: float) -> bool:
        """Whether this step fires.

        Parameters
        ----------
        step : int
            Number of the step, not smaller than at the last call; the same step again never fires.
        lowest_lpr : float
            Of the atoms that are watched; infinity where there are none.

        Raises
        ------
        InvalidInputError
            For NaN, and for steps that decrease.
        """
        return self._core.update(as_step("step", step), as_number("lowest_lpr", lowest_lpr))

    @property
    def n_fired(self) -> int:
        """How often it has fired."""
        return self._core.n_fired

    @property
    def is_exhausted(self) -> bool:
        """Whether it will never fire again."""
        return self._core.is_exhausted
