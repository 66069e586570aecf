"""What models say of sums of local predictions: totals of structures, and groups of atoms."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from ..._arrays import as_count
from .._described_model import DescribedModel
from ._group_scores import GroupScores, group_scores
from ._grouping import Groups
from ._sums import SumScoring
from ._totals import Totals, TotalScoring, all_totals

if TYPE_CHECKING:
    from ase import Atoms


class SummedModel(DescribedModel):
    """A model that scores sums of local predictions: see `StructureModel`."""

    def totals(self, frames: Iterable[Atoms], *, n_threads: int = 0) -> Totals:
        """Rigidity, variance, residual and standard deviation of total energies, and these.

        Each frame is described for itself: the bits depend on it and the model alone.

        Parameters
        ----------
        frames, n_threads
            As for `score`.

        Returns
        -------
        Totals
            Named arrays of shape (n_frames,), which are a dictionary too.

        Raises
        ------
        InvalidInputError
            As `score`.
        """
        count = as_count("n_threads", n_threads)
        pieces = self.pipeline.pieces(frames, "error")
        found = [self.total_scoring.of(piece.batch, count) for piece in pieces if piece.is_last]
        return all_totals([self.total_scoring.of([], count), *found])

    def score_groups(self, frames: Iterable[Atoms], groups: Groups, *, n_threads: int = 0) -> GroupScores:
        """Rigidity, variance, residual, energy and standard deviation of groups of atoms, and how these are correlated.

        Keeps rows of phi for all groups and the features of all their atoms, for covariances and weighted sums: some kB
        for each. `score_trajectory` writes a table of groups for any number of frames (docs/guides/groups.md).

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures; a single one too.
        groups : str, array_like, dict or callable
            The name of labels that frames carry, in `Atoms.arrays` (a label of each atom) or `Atoms.info` (one of the
            frame, or of each atom), such as ``"numbers"`` or ``"config_type"``; labels, shape (n_atoms,), integers or
            words; weights, shape (n_atoms,), of each sum by its name; or a function that makes labels or weights of a
            frame. Negative integers, None and "" are labels of no group.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        GroupScores
            Groups frame by frame, in the order of their labels.

        Raises
        ------
        InvalidInputError
            For frames that cannot be scored, labels that they do not carry or that do not fit, and frames without any
            group.
        """
        count = as_count("n_threads", n_threads)
        ready = (
            (number, ready)
            for piece in self.pipeline.pieces(frames, "error")
            if piece.is_last
            for number, ready in enumerate(piece.batch, piece.first)
        )
        return group_scores(self, ready, groups, count)

    @cached_property
    def total_scoring(self) -> TotalScoring:
        """What scores totals, for the floors above."""
        return TotalScoring(self.sum_scoring)

    @cached_property
    def sum_scoring(self) -> SumScoring:
        """What scores sums of local predictions, for the floors above."""
        calibration, noise = self.calibration, self._facts.get("noise")
        of_noise = 0.0 if noise is None else float(noise["prior_variance"])
        return SumScoring(
            self._model,
            self.rigidity,
            self.pipeline.describing,
            self.species,
            self._facts.get("zeta"),
            self.baseline,
            of_noise if calibration is None else calibration.prior_variance,
            calibration is not None and calibration.variance == "pp",
        )
