"""Choice of the active set."""

from __future__ import annotations

import numpy as np
import pytest

from lpr_fast import InvalidInputError
from lpr_fast.models._active_set import choose, draw, share_out


def test_active_environments_are_shared_out_in_proportion() -> None:
    assert share_out(100, {1: 500, 6: 300, 8: 200}) == {1: 50, 6: 30, 8: 20}


def test_every_species_gets_at_least_one_and_at_most_what_it_has() -> None:
    assert share_out(10, {1: 10_000, 6: 1, 8: 2}) == {1: 8, 6: 1, 8: 1}
    assert share_out(100, {1: 30, 6: 2, 8: 1000}) == {1: 3, 6: 1, 8: 96}
    assert share_out(1000, {1: 30, 6: 2}) == {1: 30, 6: 2}
    with pytest.raises(InvalidInputError, match="n_active is 2, but the training set has 3 species"):
        share_out(2, {1: 5, 6: 5, 8: 5})


@pytest.mark.parametrize("seed", range(20))
def test_shares_always_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    available = {s: int(count) for s, count in enumerate(rng.integers(1, 10 ** rng.integers(1, 5), rng.integers(1, 7)))}
    wanted = int(rng.integers(len(available), 2000))
    shares = share_out(wanted, available)
    assert sum(shares.values()) == min(wanted, sum(available.values()))
    assert all(1 <= shares[s] <= available[s] for s in available)


def test_a_pool_depends_on_the_seed_and_on_indices_alone() -> None:
    everything = np.arange(10_000)
    pool = draw(everything, 500, seed=3)
    assert len(pool) == 500
    assert (np.diff(pool) > 0).all()
    np.testing.assert_array_equal(draw(everything, 500, seed=3), pool)
    assert len(np.intersect1d(draw(everything, 500, seed=4), pool)) < 100
    # Environments that are added later push others out, but change no priority.
    assert np.isin(draw(np.arange(20_000), 500, seed=3), np.append(pool, np.arange(10_000, 20_000))).all()
    np.testing.assert_array_equal(draw(everything, 10_000, seed=3), everything)


def test_a_pool_is_drawn_evenly() -> None:
    counts = np.histogram(draw(np.arange(100_000), 10_000, seed=1), bins=10, range=(0, 100_000))[0]
    assert np.abs(counts - 1000).max() < 130


def test_what_is_not_new_is_not_chosen() -> None:
    features = np.zeros((8, 3))
    features[[1, 4, 7], 0] = 1.0
    features[[2, 5], 1] = 1.0
    features[3] = [0.0, 1e-9, 1.0]
    features[6] = [0.0, 0.0, 1.0]
    assert choose(features, 8, 1).tolist() == [1, 2, 6]
    assert choose(features[:1], 8, 1).tolist() == []
