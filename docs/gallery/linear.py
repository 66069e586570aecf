"""Linear ridge regression
=======================

Section 3 of the supporting information of `Chong et al. <https://doi.org/10.1021/acs.jctc.3c00704>`__: the trends of
:doc:`silicon <silicon>` with a linear model, and the effect of the regularizer on the LPR.

.. image:: /gallery/linear.png
   :alt: Left: LPR of the atoms of test melts, after against before. Right: quantiles of the LPR against the
         regularizer, for forty structures.
"""

# %%
# The calls to copy
# -----------------
#
# .. literalinclude:: /gallery/linear.py
#    :language: python
#    :pyobject: recipe
#    :prepend: from lpr_fast import LinearModel, TrainingRows
#
# Settings
# --------
#
# .. list-table::
#    :widths: 20 80
#    :stub-columns: 1
#
#    * - structures
#      - as for :doc:`silicon <silicon>`: 200 networks, of which 20 are replaced by melts; tested on 60 other melts
#    * - descriptor
#      - SOAP, cutoff 2.85 Å with a width of 0.1 Å, Gaussians of 0.4 Å, 8 radial functions, l up to 6: 252 features
#    * - model
#      - linear; features are not normalised
#    * - loss
#      - totals, mu = 10⁻⁵; mu in units of the mean squared norm of the features of an environment
#    * - few structures
#      - 40 networks for 252 weights
#    * - LPR above 1
#      - the same 40, and one or five crystals of 8 atoms, each of one environment; loss per atom
#    * - seeds
#      - 0 to 4; they draw the structures
#
# Numbers
# -------
#
# .. literalinclude:: /gallery/linear.txt
#    :language: text
#
# Compared with the paper
# -----------------------
#
# .. list-table::
#    :widths: 30 70
#    :header-rows: 1
#
#    * - paper
#      - here
#    * - the trends of the kernel models
#      - LPR of three-fold atoms × 380 to 560, of two-fold × 1,600 to 3,600, of five-fold × 8,000 to 11,000, of
#        four-fold × 1.5. Before, the LPR of defects is at the lower limit that mu sets: the networks hold no
#        information about them. The active set of a :doc:`kernel model <silicon>` smooths this
#    * - without regularization, and with fewer structures than weights, LPR is 0
#      - for small mu the LPR of every atom is proportional to mu: no atom's features lie in the span of forty rows. For
#        defects this holds from the largest mu on (5 % quantile)
#    * - LPR of about 1 is no limit: similar groups, or strong regularization
#      - with the loss per atom, one crystal gives its atoms an LPR of 1.9, and five give 5.9; with mu = 10⁻², 6.4 and
#        10.4
#
# The script
# ----------
#
# ``python docs/gallery/linear.py`` runs a reduced size within minutes; ``--full`` runs the size of this page.

# sphinx_gallery_thumbnail_path = 'gallery/linear.png'

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase.build
import numpy as np
from common import COLOURS, Array, Findings, Indices, Study, geometric_mean, soap
from silicon import KINDS, SHARP, Sets, sets

from lpr_fast import LinearModel, StructureModel, TrainingRows

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure

MU = 1e-5  # in units of the mean squared norm of the features of an environment
REGULARIZERS = tuple(10.0**power for power in range(-1, -13, -1))  # in the same unit
N_FEW = 40  # structures, for 252 weights
N_ALIKE = 5  # structures of one environment each


@dataclass(frozen=True)
class Size:
    """Structures of a training set, how many of them are replaced, and melts to test on."""

    n_structures: int
    n_replaced: int
    n_test: int


def recipe(
    frames: list[Atoms], before: Indices, after: Indices, settings: dict[str, Any], path: Path
) -> list[StructureModel]:
    """Linear models of two parts of some structures."""
    LinearModel.fit(frames, keep_rows=path, **settings)
    rows = TrainingRows(path)
    return [rows.fit(structures=part) for part in (before, after)]


def squared_norm(model: StructureModel, frames: list[Atoms]) -> float:
    """Mean squared norm of the features of an environment: the unit of mu."""
    return float(np.mean(np.sum(model.features(frames) ** 2, axis=1)))


def measure_rise(drawn: Sets, settings: dict[str, Any]) -> list[Array]:
    """LPR of the atoms of melts, before and after."""
    union = np.unique(np.concatenate([drawn.before, drawn.after]))
    before, after = (np.searchsorted(union, part) for part in (drawn.before, drawn.after))
    with tempfile.TemporaryDirectory() as folder:
        models = recipe([drawn.frames[a] for a in union], before, after, settings, Path(folder) / "si.rows")
        return [model.score(drawn.melts).lpr for model in models]


def measure_regularizers(frames: list[Atoms], melts: list[Atoms], settings: dict[str, Any], unit: float) -> Array:
    """LPR (regularizers, atoms) of models of fewer structures than weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "few.rows"
        LinearModel.fit(frames, keep_rows=path, **settings)
        rows = TrainingRows(path)
        return np.array([rows.fit(regularizer=mu * unit).score(melts).lpr for mu in REGULARIZERS])


def measure_above_one(frames: list[Atoms], settings: dict[str, Any], unit: float, found: Findings) -> None:
    """LPR of an environment that structures of its own pin down, in the loss per atom."""
    crystal = ase.build.bulk("Si", cubic=True, a=5.43)
    settings = {**settings, "energy_key": None, "loss": "per_atom"}
    for n in (1, N_ALIKE):
        for mu in (1e-5, 1e-2):
            model = LinearModel.fit([*frames, *[crystal] * n], **{**settings, "regularizer": mu * unit})
            name = f"loss per atom, {n} structure{'s' * (n > 1)} of the crystal, mu = {mu:g}: LPR of its atoms"
            found.numbers[name] = model.score(crystal).lpr[0]


def measure(size: Size, seed: int) -> Findings:
    """All three parts."""
    drawn = sets(size.n_structures, size.n_replaced, size.n_test, seed)
    settings: dict[str, Any] = {"hypers": soap(SHARP[0], smoothing=SHARP[1]), "regularizer": 1.0}
    few = [drawn.frames[a] for a in drawn.before[:N_FEW]]
    first = LinearModel.fit(few, **settings)
    unit = squared_norm(first, few)
    before, after = measure_rise(drawn, {**settings, "regularizer": MU * unit})
    found = Findings()
    for z, kind in KINDS.items():
        found.numbers[f"LPR of {kind} atoms, after / before"] = geometric_mean((after / before)[drawn.n == z])
    found.numbers["number of weights"] = first.phi(few[:1]).shape[1]
    profile = measure_regularizers(few, drawn.melts, settings, unit)
    for row in (0, -1):
        found.numbers[f"{N_FEW} structures, mu = {REGULARIZERS[row]:g}: median LPR"] = np.median(profile[row])
    slope = np.log10(profile[-2] / profile[-1])
    found.numbers["least power of mu that the LPR falls with, at the end"] = np.min(slope)
    measure_above_one(few, settings, unit, found)
    found.drawn = {"n": drawn.n, "before": before, "after": after, "profile": profile}
    return found


def draw(figure: Figure, findings: list[Findings]) -> None:
    """Draw the first seed."""
    drawn = findings[0].drawn
    left, right = figure.subplots(1, 2)
    for (z, kind), colour in zip(KINDS.items(), COLOURS, strict=True):
        atoms = drawn["n"] == z
        left.loglog(drawn["before"][atoms], drawn["after"][atoms], ".", color=colour, label=kind, ms=3)
    ends = [drawn["before"].min(), drawn["before"].max()]
    left.loglog(ends, ends, ":", color="0.5")
    left.set(xlabel="LPR, trained without defects", ylabel="LPR, a tenth defective", title="Linear ridge, test melts")
    left.legend(frameon=False, markerscale=3)
    for share, style in ((0.05, ":"), (0.5, "-"), (0.95, "--")):
        quantile = np.quantile(drawn["profile"], share, axis=1)
        right.loglog(REGULARIZERS, quantile, style, color=COLOURS[0], label=f"{100 * share:.0f} %")
    right.set(xlabel="mu / mean squared norm of phi", ylabel="LPR (loss on totals)")
    right.set_title(f"{N_FEW} structures, quantiles over atoms")
    right.legend(frameon=False)


STUDY = Study(__file__, recipe, measure, draw, reduced=Size(100, 10, 20), full=Size(200, 20, 60), n_seeds=(2, 5))

if __name__ == "__main__":
    STUDY.main()
