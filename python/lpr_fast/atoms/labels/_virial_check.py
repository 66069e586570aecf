"""Check of the sign of virials of a training set that the fit does not use."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import numpy as np

from ... import _core
from ..._arrays import Array
from ..._errors import InvalidInputError, LprWarning
from ...models._problem import Problem
from .._describer import SoapDescriber
from ..rows._environments import FrameEnvironments
from ._derivative_labels import derivative_labels, upper_triangle

# At most so many structures with virials are compared, of so many at the beginning, and at least so many are needed.
_MOST, _AMONG, _FEWEST = 50, 1000, 20

# A correlation below this is significant: it is about the lowest of unrelated virials.
_NEGATIVE = -0.3

# Least relative standard deviation of the volume per atom: below it energies determine virials too little to judge.
_SAME_VOLUMES = 0.01


def warn_of_reversed_virials(problem: Problem, model: _core.Model, *, stacklevel: int) -> None:
    """Warn if predicted virials correlate negatively with those of the structures: their sign is wrong.

    A sample of the structures is compared, and only if the fit uses no virials. Warnings point `stacklevel` calls up.
    """
    environments = problem.environments
    is_asked = "unused_virials_of" in problem.structures.facts and problem.facts.baseline is not None
    if not is_asked or not isinstance(environments, FrameEnvironments):
        return
    found = list(islice(_virials(environments, problem, model), _MOST))
    volumes = np.array([volume for _, volume in found])
    if len(found) < _FEWEST or volumes.std() < _SAME_VOLUMES * volumes.mean():
        return
    correlation = _correlation(*np.array([pair for pair, _ in found]).swapaxes(0, 1))
    if correlation < _NEGATIVE:
        warnings.warn(
            f"predicted virials correlate negatively ({correlation:.2f} over {len(found)} structures) with those of "
            "the training set, which the fit does not use; check the sign of these virials or stresses (a virial is "
            "minus the derivative of the energy with respect to strain, a stress plus that over the volume).",
            LprWarning,
            stacklevel=stacklevel + 1,
        )


def _virials(environments: FrameEnvironments, problem: Problem, model: _core.Model) -> Iterator[tuple[Array, float]]:
    """Yield predicted virials and labels, (2, 6), and volumes, all per atom."""
    describer, settings = environments.describer, problem.settings
    if not isinstance(describer, SoapDescriber):
        return
    scorer = _core.SoapScorer(model)
    for number, frame in enumerate(islice(environments.training.source.frames(), _AMONG)):
        with suppress(InvalidInputError):
            label = derivative_labels(frame, None, settings.virial_key, f"frame {number}").virial
            structure = describer.ready(frame, f"frame {number}").structure
            if label is None or structure is None or np.isnan(label).any():
                continue
            found = scorer.predict(structure, None, settings.n_threads)["virials"][0]
            yield np.stack([upper_triangle(found), label]) / len(frame), frame.cell.volume / len(frame)


def _correlation(predicted: Array, labels: Array) -> float:
    """Return the correlation of all components minus their means, so that an offset of the pressure has no effect."""
    a, b = predicted - predicted.mean(axis=0), labels - labels.mean(axis=0)
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm > 0.0 else 0.0
