"""The table of radial integrals: against featomic, and against what a smooth function has to be."""

from __future__ import annotations

import functools
import logging
import os
import pickle
import subprocess
import sys
import warnings
from typing import Any

import featomic
import numpy as np
import pytest
from ase import Atoms
from featomic.splines import SoapSpliner
from metatensor import Labels
from scipy.special import eval_legendre

from lpr_fast import InvalidInputError
from lpr_fast.descriptors._hypers import checked_hypers
from lpr_fast.descriptors._radial_table import RadialTable, radial_table

RADIUS = 4.0
COSINE = {"type": "ShiftedCosine", "width": 0.7}
WILLATT = {"type": "Willatt2018", "exponent": 4, "rate": 1.5, "scale": 2.0}


def gto(max_radial: int) -> dict[str, Any]:
    return {"type": "Gto", "max_radial": max_radial}


def hypers(
    *,
    basis: dict[str, Any] | None = None,
    radius: float = RADIUS,
    smoothing: dict[str, Any] = COSINE,
    kind: str = "Gaussian",
    **density: Any,
) -> dict[str, Any]:
    width = {"width": 0.5} if kind == "Gaussian" else {}
    return {
        "cutoff": {"radius": radius, "smoothing": smoothing},
        "density": {"type": kind, **width, **density},
        "basis": basis or {"type": "TensorProduct", "max_angular": 3, "radial": gto(3)},
    }


def tabulated(knots: np.ndarray, n: int, power: int) -> dict[str, Any]:
    """r^power exp(-k r^2) for k = 1 .. n, as cubic pieces between the knots."""
    k = np.arange(1, n + 1)
    points = []
    for r in knots:
        values = r**power * np.exp(-k * r**2)
        slopes = (power * r ** max(power - 1, 0) - 2 * k * r ** (power + 1)) * np.exp(-k * r**2)
        points.append({"position": float(r), "values": values.tolist(), "derivatives": slopes.tolist()})
    return {"type": "Tabulated", "points": points}


def splined(basis: Any, density: Any, *, points: int, width: float = 0.7) -> dict[str, Any]:
    cutoff = featomic.cutoff.Cutoff(radius=RADIUS, smoothing=featomic.cutoff.ShiftedCosine(width=width))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy doubts some of its integrals
        return dict(SoapSpliner(cutoff=cutoff, density=density, basis=basis, n_spline_points=points).get_hypers())


def laplacian() -> dict[str, Any]:
    return splined(
        featomic.basis.LaplacianEigenstate(radius=RADIUS, max_radial=3), featomic.density.Gaussian(width=0.5), points=40
    )


def smeared_power_law() -> dict[str, Any]:
    radial = featomic.basis.Gto(max_radial=1, radius=RADIUS)
    basis = featomic.basis.TensorProduct(max_angular=0, radial=radial)
    return splined(basis, featomic.density.SmearedPowerLaw(smearing=0.6, exponent=3), points=8)


UNEVEN_KNOTS = np.array([0.0, 0.3, 0.5, 1.1, 1.15, 2.0, 2.9, 3.5, 4.2])

# Hypers, and the largest error that the table may have.
KINDS = {
    "Gto": (lambda: hypers(), 1e-13),
    "8 x 7": (lambda: hypers(basis={"type": "TensorProduct", "max_angular": 6, "radial": gto(7)}, radius=5.0), 1e-11),
    "one function": (lambda: hypers(basis={"type": "TensorProduct", "max_angular": 0, "radial": gto(0)}), 1e-13),
    "Explicit": (lambda: hypers(basis={"type": "Explicit", "by_angular": {0: gto(4), 2: gto(1), 5: gto(2)}}), 1e-12),
    "Explicit, unordered": (
        lambda: hypers(basis={"type": "Explicit", "by_angular": {"11": gto(1), "2": gto(2)}}),
        1e-12,
    ),
    "Step": (lambda: hypers(smoothing={"type": "Step"}), 1e-13),
    "cosine from the center on": (lambda: hypers(smoothing={"type": "ShiftedCosine", "width": 6.0}), 1e-13),
    "scaling": (lambda: hypers(scaling=WILLATT), 1e-13),
    "no center": (lambda: hypers(center_atom_weight=0.0), 1e-13),
    "short cutoff": (lambda: hypers(radius=0.9), 1e-13),
    "tabulated": (
        lambda: hypers(
            kind="DiracDelta",
            scaling=WILLATT,
            basis={"type": "TensorProduct", "max_angular": 2, "radial": tabulated(UNEVEN_KNOTS, 3, 0)},
        ),
        1e-13,
    ),
    "tabulated, other knots for other l": (
        lambda: hypers(
            kind="DiracDelta",
            basis={
                "type": "Explicit",
                "by_angular": {0: tabulated(UNEVEN_KNOTS, 3, 0), 1: tabulated(np.linspace(0, RADIUS, 24), 2, 1)},
            },
        ),
        1e-13,
    ),
    "splined Laplacian eigenstates": (laplacian, 1e-13),
    "splined power law": (smeared_power_law, 1e-13),
}

every_kind = pytest.mark.parametrize("kind", KINDS)


@functools.cache
def made(kind: str) -> tuple[dict[str, Any], RadialTable]:
    chosen = checked_hypers(KINDS[kind][0]())
    return chosen, radial_table(chosen)


def channels(angular: int, table: RadialTable) -> slice:
    place = table.angular.index(angular)
    start = sum(table.n_radial[:place])
    return slice(start, start + table.n_radial[place])


def values(table: RadialTable, distances: np.ndarray, *, derivative: bool = False, left: bool = False) -> np.ndarray:
    """What the table says, by its definition; on an edge the cell at the right, or the left."""
    last = len(table.edges) - 2
    cell = np.clip(np.searchsorted(table.edges, distances, side="left" if left else "right") - 1, 0, last)
    middle = 0.5 * (table.edges[cell + 1] + table.edges[cell])
    half = 0.5 * (table.edges[cell + 1] - table.edges[cell])
    t = ((distances - middle) / half)[:, None]
    of_cell = table.coefficients.reshape(last + 1, 6, -1)[cell]
    if derivative:
        return sum(k * of_cell[:, k] * t ** (k - 1) for k in range(1, 6)) / half[:, None]
    return sum(of_cell[:, k] * t**k for k in range(6))


def by_featomic(chosen: dict[str, Any], table: RadialTable, distances: np.ndarray) -> np.ndarray:
    """Radial integrals by the expansion of whole structures, neighbours found by featomic."""
    basis = {**chosen["basis"], "spline_accuracy": None}
    frames = [Atoms("HHe", [[0, 0, 0], [0, 0, r]]) for r in distances]
    expansion = featomic.SphericalExpansion(**{**chosen, "basis": basis}).compute(frames)
    columns = []
    for angular in table.angular:
        block = expansion.block(o3_lambda=angular, center_type=1, neighbor_type=2)
        assert len(block.samples) == len(distances)
        columns.append(block.values[:, angular] / np.sqrt((2 * angular + 1) / (4 * np.pi)))
    return np.concatenate(columns, axis=1)


@every_kind
def test_the_table_is_featomic_at_distances_that_it_has_not_seen(kind: str) -> None:
    chosen, table = made(kind)
    radius = table.edges[-1]
    distances = np.random.default_rng(3).uniform(0.05, 0.999 * radius, 300)
    expected = by_featomic(chosen, table, distances)
    assert table.error < KINDS[kind][1]
    allowed = (3 * table.error + 1e-14) * np.abs(values(table, table.edges)).max()
    np.testing.assert_allclose(values(table, distances), expected, rtol=0, atol=allowed)


@every_kind
def test_cells_meet_at_their_edges(kind: str) -> None:
    _, table = made(kind)
    inner = table.edges[1:-1]
    from_left, from_right = values(table, inner, left=True), values(table, inner)
    np.testing.assert_allclose(from_left, from_right, rtol=0, atol=1e-14 * np.abs(from_left).max())


@every_kind
def test_slopes_meet_at_the_edges(kind: str) -> None:
    _, table = made(kind)
    inner = table.edges[1:-1]
    from_left = values(table, inner, derivative=True, left=True)
    from_right = values(table, inner, derivative=True)
    allowed = 1e-10 + 1e4 * table.error  # a jump of featomic's is steep in a narrow cell
    np.testing.assert_allclose(from_left, from_right, rtol=0, atol=allowed * np.abs(from_left).max())


@every_kind
def test_tables_fit_into_a_cache(kind: str) -> None:
    _, table = made(kind)
    widths = np.diff(table.edges)
    assert table.coefficients.shape == (6 * len(widths), sum(table.n_radial))
    assert table.coefficients.nbytes <= 2 * 2**20
    assert widths.min() > 0
    assert widths.max() <= 0.08 * (1 + 1e-12)
    assert table.edges[0] == 0


@pytest.mark.parametrize("angular", [0, 1, 2, 3])
def test_near_the_center_values_fall_as_powers_of_the_distance(angular: int) -> None:
    table = radial_table(checked_hypers(hypers()))
    at_center, near, twice_as_far = values(table, np.array([0.0, 0.01, 0.02]))[:, channels(angular, table)]
    if angular:
        np.testing.assert_allclose(at_center, 0.0, rtol=0, atol=1e-15 * np.abs(table.coefficients).max())
    allowed = 2e-3 * np.abs(twice_as_far).max()
    np.testing.assert_allclose(twice_as_far, 2**angular * near, rtol=0, atol=allowed)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_center_adds_what_a_neighbour_in_its_place_would(weight: float) -> None:
    table = radial_table(checked_hypers(hypers(center_atom_weight=weight, scaling=WILLATT)))
    at_center = values(table, np.zeros(1))[0, channels(0, table)]
    np.testing.assert_allclose(table.center, weight * at_center / np.sqrt(4 * np.pi), rtol=0, atol=1e-14)


def test_the_center_is_that_of_a_lone_atom_bit_for_bit() -> None:
    chosen, table = made("8 x 7")
    basis = {**chosen["basis"], "spline_accuracy": None}
    lone = featomic.SphericalExpansion(**{**chosen, "basis": basis}).compute([Atoms("H", [[0, 0, 0]])])
    block = lone.block(o3_lambda=0, center_type=1, neighbor_type=1)
    np.testing.assert_array_equal(table.center, block.values[0, 0])


def test_without_l_of_zero_there_is_no_center() -> None:
    table = radial_table(checked_hypers(hypers(basis={"type": "Explicit", "by_angular": {1: gto(2)}})))
    assert table.center.shape == (0,)
    assert table.angular == (1,)
    assert table.n_radial == (3,)


def test_channels_of_an_explicit_basis_are_in_order_of_l() -> None:
    _, table = made("Explicit, unordered")
    assert table.angular == (2, 11)
    assert table.n_radial == (3, 2)


@pytest.mark.parametrize("kind", ["Gto", "scaling", "no center", "splined Laplacian eigenstates"])
def test_power_spectra_follow_from_the_table(kind: str) -> None:
    """The sum over m of Y_lm(u) Y_lm(v) is (2 l + 1) P_l(u . v) / 4 pi; a pair of species stands for two.

    Features of odd l have the other sign than the sum.
    """
    chosen, table = made(kind)
    rng = np.random.default_rng(1)
    frame = Atoms("HH2He2", np.vstack([np.zeros(3), rng.normal(scale=1.3, size=(4, 3))]))
    distances = np.linalg.norm(frame.positions[1:], axis=1)
    assert distances.max() < RADIUS
    directions = frame.positions[1:] / distances[:, None]
    rows = values(table, distances)
    spectrum = featomic.SoapPowerSpectrum(**{**chosen, "basis": {**chosen["basis"], "spline_accuracy": None}})
    first = Labels(["system", "atom"], np.array([[0, 0]], dtype=np.int32))
    spectra = spectrum.compute([frame], selected_samples=first)
    expected = spectra.block(center_type=1, neighbor_1_type=1, neighbor_2_type=2)
    for angular, n1, n2, value in zip(*expected.properties.values.T, expected.values[0], strict=True):
        radial = rows[:, channels(angular, table)]
        cosines = directions[:2] @ directions[2:].T
        both = radial[:2, n1] @ eval_legendre(angular, cosines) @ radial[2:, n2] * (2 * angular + 1) / (4 * np.pi)
        if angular == 0:
            both += table.center[n1] * radial[2:, n2].sum() / np.sqrt(4 * np.pi)
        assert (-1) ** angular * both * np.sqrt(2 / (2 * angular + 1)) == pytest.approx(value, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("kind", ["tabulated", "tabulated, other knots for other l"])
def test_cells_end_where_derivatives_jump(kind: str) -> None:
    _, table = made(kind)
    for distance in [RADIUS - COSINE["width"], *UNEVEN_KNOTS[UNEVEN_KNOTS < RADIUS], RADIUS]:
        assert distance in table.edges


def test_knots_that_differ_by_rounding_are_one() -> None:
    knots = np.linspace(0.0, RADIUS, 9)
    by_angular = {0: tabulated(knots, 1, 0), 1: tabulated(knots * (1 + 1e-15), 1, 1)}
    table = radial_table(
        checked_hypers(hypers(kind="DiracDelta", basis={"type": "Explicit", "by_angular": by_angular}))
    )
    assert np.diff(table.edges).min() > 1e-3


def test_more_functions_have_a_larger_scatter() -> None:
    """Featomic's, because its orthogonalisation loses digits."""
    scatter = [
        radial_table(
            checked_hypers(hypers(basis={"type": "TensorProduct", "max_angular": 1, "radial": gto(n)}))
        ).scatter
        for n in (3, 7, 11)
    ]
    assert 1e-17 < scatter[0] < 1e-14 < 3 * scatter[1] < 1e-12 < 3 * scatter[2] < 1e-10


def bits(table: RadialTable) -> tuple[Any, ...]:
    arrays = (table.edges, table.coefficients, table.center)
    return (table.angular, table.n_radial, table.error, table.scatter, *(array.tobytes() for array in arrays))


def test_the_spline_accuracy_of_the_hypers_changes_nothing() -> None:
    plain = hypers()
    splined = hypers(basis={**plain["basis"], "spline_accuracy": 1e-3})
    assert bits(radial_table(checked_hypers(splined))) == bits(radial_table(checked_hypers(plain)))


SAME_BITS_SCRIPT = """
import hashlib
from lpr_fast.descriptors._hypers import checked_hypers
from lpr_fast.descriptors._radial_table import radial_table
table = radial_table(checked_hypers({hypers!r}))
print(hashlib.sha256(table.edges.tobytes() + table.coefficients.tobytes() + table.center.tobytes()).hexdigest())
"""


def test_the_number_of_threads_changes_no_bit() -> None:
    script = SAME_BITS_SCRIPT.format(hypers=hypers())
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "RAYON_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            check=True,
            capture_output=True,
            text=True,
        )
        for threads in ("1", "2", "2")
    ]
    assert {run.stderr for run in runs} == {""}
    assert len({run.stdout for run in runs}) == 1


def test_nothing_is_logged_of_close_neighbours(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        radial_table(checked_hypers(hypers()))
    assert not caplog.records


def test_tables_can_be_pickled() -> None:
    table = radial_table(checked_hypers(hypers()))
    assert bits(pickle.loads(pickle.dumps(table))) == bits(table)


def explicit(**radial: Any) -> dict[str, Any]:
    return hypers(kind="DiracDelta", basis={"type": "Explicit", "by_angular": {0: radial}})


def two_points(first: float, *numbers: float) -> dict[str, Any]:
    points = [{"position": r, "values": [*numbers], "derivatives": [*numbers]} for r in (first, RADIUS)]
    return explicit(type="Tabulated", points=points)


REFUSED = {
    "a basis that is none": (hypers(basis=3), "the basis in hypers is 3; it must be a dictionary"),  # type: ignore[arg-type]
    "no radial basis": (
        hypers(basis={"type": "TensorProduct", "max_angular": 2}),
        "featomic does not accept the hypers",
    ),
    "Gto of a delta density": (
        hypers(kind="DiracDelta"),
        "featomic does not accept .* combination of basis and density",
    ),
    "an unknown cutoff function": (hypers(smoothing={"type": "Cosine"}), "featomic does not accept .* unknown variant"),
    "a negative rate": (hypers(scaling={**WILLATT, "rate": -1.0}), "featomic does not accept .* positive rate"),
    "no l": (
        hypers(basis={"type": "Explicit", "by_angular": {}}),
        "featomic does not accept .* at least one angular channel",
    ),
    "too many functions": (
        hypers(basis={"type": "TensorProduct", "max_angular": 0, "radial": gto(40)}),
        "featomic does not accept .* overlap matrix is singular",
    ),
    "one point": (explicit(type="Tabulated", points=[]), "featomic does not accept .* at least two points"),
    "a late first point": (two_points(0.5, 1.0), "begins at a distance of 0.5; its first position must be 0"),
    "no function": (two_points(0.0), "the radial basis of l = 0 in hypers has no functions"),
    "an overflow": (two_points(0.0, 1e308), "the radial integrals for these hypers are too large at a distance of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_featomic_cannot_expand_is_refused_in_one_sentence(case: str) -> None:
    given, sentence = REFUSED[case]
    with pytest.raises(InvalidInputError, match=sentence) as refusal:
        radial_table(checked_hypers(given))
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)
