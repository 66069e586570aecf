"""Models that score sums of local predictions: totals of structures, and groups of atoms."""

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
        """Return total energies with rigidity, variance, residual and standard deviation.

        The bits of each frame depend on this frame and the model alone.

        Parameters
        ----------
        frames, n_threads
            As for `StructureModel.score`.

        Returns
        -------
        Totals
            Named arrays of shape (n_frames,).

        Raises
        ------
        InvalidInputError
            As for `StructureModel.score`.
        """
        count = as_count("n_threads", n_threads)
        pieces = self.pipeline.pieces(frames, "error")
        found = [self.total_scoring.of(piece.batch, count) for piece in pieces if piece.is_last]
        return all_totals([self.total_scoring.of([], count), *found])

    def score_groups(self, frames: Iterable[Atoms], groups: Groups, *, n_threads: int = 0) -> GroupScores:
        """Return rigidity, variance, residual, energy and standard deviation of groups of atoms.

        The result gives covariances and weighted sums of the groups too. For these it keeps rows of phi of all groups
        and features of all their atoms, some kB each. `score_trajectory` writes a table of groups for any number of
        frames.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures, or a single one.
        groups : str, array_like, dict or callable
            One of: the name of labels in ``Atoms.arrays`` (one for each atom) or ``Atoms.info`` (one for the frame, or
            for each atom), such as ``"numbers"`` or ``"config_type"``; labels, shape (n_atoms,), integers or strings; a
            mapping from names of sums to weights, shape (n_atoms,); a function from a frame to labels or weights.
            Negative integers, None and "" mean no group.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        GroupScores
            Groups in the order of frames and of their labels.

        Raises
        ------
        InvalidInputError
            For frames that cannot be scored, for labels that are missing or do not fit, and for frames without groups.
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
        """The object that scores totals; internal."""
        return TotalScoring(self.sum_scoring)

    @cached_property
    def sum_scoring(self) -> SumScoring:
        """The object that scores sums of local predictions; internal."""
        calibration, noise = self.calibration, self._facts.get("noise")
        of_noise = 0.0 if noise is None else float(noise["prior_variance"])
        return SumScoring(
            self._model,
            self.rigidity,
            self.pipeline.describer,
            self.species,
            self._facts.get("zeta"),
            self.baseline,
            of_noise if calibration is None else calibration.prior_variance,
            calibration is not None and calibration.variance == "pp",
        )
