"""Components of local predictions: what each feature stands for, and their rigidities beside other ways to them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from featomic import SoapPowerSpectrum

from lpr_fast import InvalidInputError, LinearModel
from lpr_fast.descriptors._soap import Soap
from lpr_fast.descriptors._soap_layout import SoapLayout

from .structures import HYPERS, gallium_arsenide, molecules, silicon


def layout(*species: int) -> SoapLayout:
    return SoapLayout.of(species, range(4), [3] * 4)


def test_features_are_those_that_featomic_calls_so() -> None:
    frames, species = molecules(), (1, 6, 7, 8)
    ours, found = Soap.from_hypers(HYPERS, species).features(frames), layout(*species)
    places = {
        key: i
        for i, key in enumerate(
            zip(found.first, found.second, found.angular, found.radial_first, found.radial_second, strict=True)
        )
    }
    starts = np.cumsum([0, *(len(frame) for frame in frames)])
    n_seen = 0
    for key, block in SoapPowerSpectrum(**copy.deepcopy(HYPERS)).compute(frames).items():
        a, b = int(key["neighbor_1_type"]), int(key["neighbor_2_type"])
        atoms = starts[np.asarray(block.samples["system"])] + np.asarray(block.samples["atom"])
        for j, (l_, n1, n2) in enumerate(np.asarray(block.properties.values)):
            if a == b and n1 > n2:
                continue
            factor = np.sqrt(2) if a == b and n1 < n2 else 1.0
            column = ours[atoms, places[a, b, l_, n1, n2]]
            np.testing.assert_allclose(column, factor * block.values[:, j], rtol=1e-7, atol=1e-9)
            n_seen += 1
    assert n_seen > len(places)  # every pair, for several species of centers


@pytest.mark.parametrize("by", ["species", "angular", "radial"])
def test_every_feature_is_in_one_component(by: str) -> None:
    found = layout(14, 31, 33)
    masks = found.masks(by)  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.sum(list(masks.values()), axis=0), np.ones(len(found.first)))


def test_pairs_have_no_order() -> None:
    found = layout(31, 33)
    assert list(found.masks("species")) == ["Ga-Ga", "Ga-As", "As-As"]
    assert list(found.masks("angular")) == ["l=0", "l=1", "l=2", "l=3"]
    radial = found.masks("radial")
    assert list(radial) == ["n=0,0", "n=0,1", "n=0,2", "n=1,1", "n=1,2", "n=2,2"]
    chosen = radial["n=0,1"] & (found.first != found.second)
    pairs = set(zip(found.radial_first[chosen].tolist(), found.radial_second[chosen].tolist(), strict=True))
    assert pairs == {(0, 1), (1, 0)}


def test_without_a_species_its_components_vanish_and_the_others_stay() -> None:
    frame = gallium_arsenide(1)[0]
    soap, masks = Soap.from_hypers(HYPERS, (31, 33)), layout(31, 33).masks("species")
    is_gallium = frame.numbers == 31
    whole, part = soap.features([frame])[is_gallium], soap.features([frame[is_gallium]])
    np.testing.assert_allclose(part[:, masks["Ga-Ga"]], whole[:, masks["Ga-Ga"]], rtol=1e-12, atol=1e-14)
    assert not part[:, ~masks["Ga-Ga"]].any()


def test_rigidities_of_components_are_those_of_scikit_matter() -> None:
    metrics = pytest.importorskip("skmatter.metrics", reason="scikit-matter 0.4.1 needs Python 3.11")
    frames, others = silicon(12), silicon(3, seed=50)
    soap, masks, alpha = Soap.from_hypers(HYPERS, (14,)), layout(14).masks("angular"), 1e-4
    order = np.concatenate([np.flatnonzero(mask) for mask in masks.values()])
    train, test = ([soap.features([frame])[:, order] for frame in some] for some in (frames, others))
    sizes = np.array([mask.sum() for mask in masks.values()])
    _, lcpr, rank_difference = metrics.componentwise_prediction_rigidity(train, test, alpha, sizes)
    assert rank_difference == 0

    s_squared = np.mean(np.sum(np.vstack(train) ** 2, axis=1))
    model = LinearModel.fit(frames, hypers=HYPERS, regularizer=alpha * s_squared, loss="per_atom")
    found = model.score_components(others, masks)
    assert found.names == tuple(masks)
    np.testing.assert_allclose(found.lpr, np.vstack(lcpr), rtol=1e-8)


def test_energies_of_components_add_up_to_local_energies_and_rigidities_do_not() -> None:
    frames = gallium_arsenide(8)
    model = LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-3)
    masks = model.component_masks("species")
    found, whole = model.score_components(frames[:2], masks), model.score(frames[:2])
    baseline = np.array([model.baseline[s] for frame in frames[:2] for s in frame.numbers])
    np.testing.assert_allclose(found.local_energy.sum(axis=1), whole.local_energy - baseline, rtol=1e-9, atol=1e-9)
    assert found.lpr_held.shape == found.lpr.shape == (16, 3)
    assert np.all(found.lpr_held >= found.lpr * (1 - 1e-12))
    everything = model.score_components(frames[:2], {"all": np.ones(model.n_features, dtype=bool)})
    np.testing.assert_allclose(everything.lpr[:, 0], whole.lpr, rtol=1e-9)
    np.testing.assert_allclose(everything.lpr_held[:, 0], whole.lpr_held, rtol=1e-9)
    assert not np.allclose(1 / found.lpr.sum(axis=1), 1 / whole.lpr)


def test_models_of_arrays_have_no_descriptor_that_tells_components() -> None:
    rng = np.random.default_rng(2)
    model = LinearModel.from_arrays(rng.random((6, 3)), [14] * 6, np.arange(6), regularizer=1e-2)
    with pytest.raises(InvalidInputError, match="has no descriptor"):
        model.score_components(silicon(1), {"first": np.array([True, False, False])})
    with pytest.raises(
        InvalidInputError, match="features of this model are not SOAP power spectra of hypers; give score_components"
    ):
        model.component_masks("angular")


def test_what_is_no_component_is_refused() -> None:
    model = LinearModel.fit(silicon(2), hypers=HYPERS, regularizer=1e-3)
    with pytest.raises(InvalidInputError, match="by is 'body'; it must be one of 'species', 'angular', 'radial'"):
        model.component_masks("body")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="masks has no component"):
        model.score_components(silicon(1), {})
    with pytest.raises(InvalidInputError, match=r"the mask of a has shape \(3,\) and dtype int64; it must be"):
        model.score_components(silicon(1), {"a": [1, 0, 1]})
