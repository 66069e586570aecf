"""The columns of scores: names, units and meanings.

Files, arrays of structures and maps take names and texts from this table. A new column is a row of the table and an
attribute of `LocalScores`, in the order in which the core returns its arrays. Columns of forces are computed on
request, and are attributes of `Scores`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._arrays import Array
    from ._scores import LocalScores


@dataclass(frozen=True)
class Column:
    """A column of scores.

    Attributes
    ----------
    name : str
        Attribute of `LocalScores`, and name in files that contain scores only.
    unit : str
        Unit, as files state it.
    text : str
        Meaning.
    """

    name: str
    unit: str
    text: str

    @property
    def prefixed(self) -> str:
        """The name in structures and in extended XYZ, among columns of other programs."""
        return self.name if self.name.startswith("lpr") else f"lpr_{self.name}"


COLUMNS = (
    Column(
        "lpr",
        "regularizer / variance",
        "local prediction rigidity: small where the training set does not determine the prediction",
    ),
    Column(
        "lpr_held",
        "regularizer / variance",
        "rigidity with the mean of each species held fixed: without the split of totals between species",
    ),
    Column(
        "variance",
        "prior variance of the kernel (linear models: of the weights)",
        "regularizer / LPR, in units of the prior variance",
    ),
    Column(
        "sigma",
        "unit of the training energies",
        "standard deviation of the contribution to the total energy, by a calibration on held-out totals",
    ),
    Column(
        "residual",
        "prior variance of the kernel",
        "distance from the active set: 0 for an active environment, 1 for one unlike all of them",
    ),
    Column(
        "local_energy",
        "unit of the training energies",
        "contribution to the total energy, including the baseline of the species",
    ),
    Column(
        "percentile",
        "percent",
        "share of the training environments of the same species that are less rigid",
    ),
    Column(
        "verdict",
        "0, 1 or 2",
        "0: determined by the training set, 1: loose, 2: unlike the training set",
    ),
    Column(
        "spread",
        "unit of the training energies",
        "standard deviation of the local energy over the members of a committee",
    ),
)

FORCE_COLUMNS = (
    Column(
        "force_variance",
        "prior variance per square of Å",
        "variance of the force on the atom along the direction that the training set determines least",
    ),
    Column(
        "force_sigma",
        "unit of the training energies per Å",
        "standard deviation of the force on the atom along that direction",
    ),
    Column(
        "force_residual",
        "prior variance of the kernel",
        "largest residual of the environments that contribute to the force",
    ),
)


def columns_of(scores: LocalScores) -> dict[str, Array]:
    """Return the scores that are not None, by name."""
    return {column.name: values for column, values in _there(scores)}


def prefixed_columns_of(scores: LocalScores) -> dict[str, Array]:
    """Return the scores that are not None, by prefixed name."""
    return {column.prefixed: values for column, values in _there(scores)}


def _there(scores: LocalScores) -> Iterator[tuple[Column, Array]]:
    for column in (*COLUMNS, *FORCE_COLUMNS):
        if (values := getattr(scores, column.name, None)) is not None:
            yield column, values
