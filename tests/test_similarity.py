"""How like atoms are to the environments of given structures."""

from __future__ import annotations

import ase.build
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, single_environment

from .structures import HYPERS, fitted, gallium_arsenide, silicon


def by_definition(model: SparseKernelModel | LinearModel, frames: list[Atoms], prototypes: list[Atoms]) -> np.ndarray:
    """Atom by atom, pair by pair, in sums of Python."""
    zeta = model.zeta if isinstance(model, SparseKernelModel) else 1.0

    def environments(frame: Atoms) -> list[tuple[int, np.ndarray]]:
        features = model.features([frame])
        return [(int(s), x / np.sqrt((x * x).sum())) for s, x in zip(frame.numbers, features, strict=True)]

    return np.array(
        [
            [max([(x * y).sum() ** zeta for t, y in environments(p) if t == s], default=0.0) for p in prototypes]
            for frame in frames
            for s, x in environments(frame)
        ]
    )


@pytest.mark.parametrize("kind", ["kernel", "linear"])
def test_similarities_are_the_largest_kernels_of_the_definition(kind: str) -> None:
    frames = gallium_arsenide(3)
    if kind == "kernel":
        model: SparseKernelModel | LinearModel = fitted(frames, zeta=3)
    else:
        model = LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-3)
    prototypes = [
        *single_environment("zincblende GaAs", 1, n_atoms=16),
        *gallium_arsenide(2, seed=50),
        ase.build.bulk("As", "sc", a=3.0),
    ]
    found = model.similarity(frames, prototypes)
    np.testing.assert_allclose(found, by_definition(model, frames, prototypes), rtol=1e-12)
    assert (found[np.concatenate([frame.numbers for frame in frames]) == 31, 3] == 0.0).all()


def test_a_structure_is_as_like_itself_as_can_be() -> None:
    frames = silicon(2)
    similarity = fitted().similarity(frames, frames)
    np.testing.assert_allclose(similarity[:8, 0], 1.0, rtol=1e-13)
    np.testing.assert_allclose(similarity[8:, 1], 1.0, rtol=1e-13)
    assert similarity.max(axis=1).min() > 1.0 - 1e-12
    assert similarity[8:, 0].max() < 1.0


def test_one_structure_may_come_alone() -> None:
    model, frames = fitted(), silicon(2)
    assert model.similarity(frames, frames[1]).tobytes() == model.similarity(frames, [frames[1]]).tobytes()


def test_similarities_do_not_depend_on_calls_and_threads() -> None:
    model, frames, prototypes = fitted(), silicon(4), single_environment("diamond Si", 2)
    one = model.similarity(frames, prototypes, n_threads=1)
    parts = [model.similarity([frame], prototypes, n_threads=2) for frame in frames]
    assert one.tobytes() == np.concatenate(parts).tobytes()


def test_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="prototypes is empty; give at least one"):
        fitted().similarity(silicon(1), [])
    with pytest.raises(InvalidInputError, match="the model knows only Si"):
        fitted().similarity(silicon(1), [ase.build.bulk("Cu")])
