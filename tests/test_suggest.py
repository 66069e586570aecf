"""Which candidates to add: against refits for every choice, and for every candidate that was not chosen."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner

from lpr_fast import InvalidInputError, Rigidity, SparseKernelModel, TrainingRows, load_model, suggest, what_if
from lpr_fast.command_line._commands import lpr_fast as command

from .oracle.problems import Array
from .structures import HYPERS, fitted, labelled, rattled, silicon
from .test_command_line import succeed

MEANS = {
    "mean": lambda lpr: 1.0 / np.mean(1.0 / lpr),
    "log": lambda lpr: np.exp(np.mean(np.log(lpr))),
    "lowest": np.min,
}


def example(seed: int = 3, n_candidates: int = 12) -> tuple[Rigidity, Array, Array]:
    """A rigidity that holds a row, targets, and candidates of all sizes."""
    rng = np.random.default_rng(seed)
    rigidity = Rigidity.from_features(rng.normal(size=(10, 14)), regularizer=1e-2).holding(rng.normal(size=14))
    targets = rng.normal(size=(30, 14)) * rng.uniform(0.1, 2.0, size=(30, 1))
    return rigidity, targets, rng.normal(size=(n_candidates, 14)) * 10.0 ** rng.uniform(-2, 1, size=(n_candidates, 1))


def by_brute_force(
    rigidity: Rigidity, targets: Array, candidates: Array, n: int, objective: str, column: str
) -> tuple[list[int], list[float]]:
    """Refit with every candidate that is left, and take the best."""
    taken: list[int] = []
    means = [float(MEANS[objective](getattr(rigidity, column)(targets)))]
    for _ in range(n):
        left = [c for c in range(len(candidates)) if c not in taken]
        refits = [getattr(rigidity.updated(candidates[[*taken, c]]), column)(targets) for c in left]
        found = [float(MEANS[objective](lpr)) for lpr in refits]
        taken.append(left[int(np.argmax(found))])
        means.append(max(found))
    return taken, means


@pytest.mark.parametrize("objective", MEANS)
@pytest.mark.parametrize("column", ["lpr", "lpr_held"])
def test_greedy_choices_are_those_of_refits_after_every_choice(objective: Any, column: Any) -> None:
    rigidity, targets, candidates = example()
    found = suggest(rigidity, targets, candidates, 6, objective=objective, column=column)
    taken, means = by_brute_force(rigidity, targets, candidates, 6, objective, column)
    assert found.chosen.tolist() == taken
    np.testing.assert_allclose(found.lpr, means, rtol=1e-9)
    refitted = rigidity.updated(candidates[taken])
    np.testing.assert_allclose(found.measured(refitted, targets), found.lpr[-1], rtol=1e-9)
    np.testing.assert_allclose(found.followed_after, getattr(refitted, column)(targets), rtol=1e-9)
    alone = [1 - means[0] / MEANS[objective](getattr(rigidity.updated(x[None]), column)(targets)) for x in candidates]
    np.testing.assert_allclose(found.alone, alone, atol=1e-9)


def test_it_stays_exact_over_many_steps_and_for_candidates_that_are_alike() -> None:
    rigidity, targets, candidates = example(n_candidates=120)
    candidates[60:] = candidates[:60] * (1.0 + 1e-9)
    candidates *= 1e3
    for objective in ("mean", "log"):
        found = suggest(rigidity, targets, candidates, 100, objective=objective, column="lpr")
        assert len(set(found.chosen.tolist())) == len(found.chosen) > 40
        assert found.lpr[20] > 1e5 * found.lpr[0]
        for n in (5, 20, len(found.chosen)):
            refitted = MEANS[objective](rigidity.updated(candidates[found.chosen[:n]]).lpr(targets))
            # The mean is that of G: rounding of what the variance was at first.
            np.testing.assert_allclose(1.0 / found.lpr[n], 1.0 / refitted, rtol=1e-9, atol=1e-12 / found.lpr[0])
            if objective == "log":
                np.testing.assert_allclose(found.lpr[n], refitted, rtol=1e-9)


def test_other_choices_of_the_same_budget_are_what_refits_say() -> None:
    rigidity, targets, candidates = example()
    found = suggest(rigidity, targets, candidates, 4, n_draws=5, seed=1)
    for choice in (found.farthest, *found.random):
        assert len(choice.candidates) == 4
        refitted = rigidity.updated(candidates[choice.candidates])
        np.testing.assert_allclose(choice.lpr, MEANS["mean"](refitted.lpr_held(targets)), rtol=1e-9)
        assert found.share_removed(choice) < found.gain.sum()
    again = suggest(rigidity, targets, candidates, 4, n_draws=5, seed=1)
    assert [c.candidates.tolist() for c in again.random] == [c.candidates.tolist() for c in found.random]
    distances = np.linalg.norm(candidates[:, None] - candidates[found.farthest.candidates[:3]][None], axis=2)
    assert found.farthest.candidates[3] == distances.min(axis=1).argmax()


def test_budgets_count_structures_costs_and_sources() -> None:
    rigidity, targets, candidates = example()
    sources = ["a", "b"] * 6
    found = suggest(rigidity, targets, candidates, 12, sources=sources, max_per_source=2)
    for choice in (found.chosen, found.farthest.candidates, *(draw.candidates for draw in found.random)):
        assert sorted(sources[c] for c in choice) == ["a", "a", "b", "b"]
    costs = np.arange(1.0, 13.0)
    found = suggest(rigidity, targets, candidates, costs=costs, cost_budget=10.0)
    assert found.chosen[0] == np.argmax(found.alone / costs)
    for choice in (found.chosen, found.farthest.candidates, *(draw.candidates for draw in found.random)):
        spent = costs[choice].sum()
        left = np.delete(costs, choice)
        assert spent <= 10.0 < spent + left.min()


def test_of_equal_candidates_the_first_is_chosen_and_what_gains_nothing_is_not() -> None:
    rigidity, targets, candidates = example()
    twice = np.vstack([candidates, candidates, np.zeros((3, 14))])
    found = suggest(rigidity, targets, twice, 12)
    once = suggest(rigidity, targets, candidates, 1)
    assert found.chosen[0] == once.chosen[0]
    assert found.chosen.max() < 24
    nothing = suggest(rigidity, targets, np.zeros((3, 14)), 2)
    assert not len(nothing.chosen)
    np.testing.assert_array_equal(nothing.followed_after, nothing.followed_now)


def test_weights_of_targets_and_of_candidates_are_those_of_the_mean_and_of_the_data() -> None:
    rigidity, targets, candidates = example()
    of_targets, of_candidates = np.linspace(0.0, 3.0, 30), np.linspace(0.5, 2.0, 12)
    found = suggest(rigidity, targets, candidates, 3, target_weights=of_targets, weights=of_candidates, column="lpr")
    refitted = rigidity.updated(candidates[found.chosen], of_candidates[found.chosen]).lpr(targets)
    np.testing.assert_allclose(found.lpr[-1], 1.0 / np.average(1.0 / refitted, weights=of_targets), rtol=1e-10)


def test_only_the_loosest_are_ranked_if_that_is_asked_for() -> None:
    rigidity, targets, candidates = example()
    found = suggest(rigidity, targets, candidates, 3, loosest=7, objective="log")
    lpr = rigidity.lpr_held(targets)
    loosest = np.sort(np.argsort(lpr)[:7])
    np.testing.assert_array_equal(np.flatnonzero(found.target_weights), loosest)
    np.testing.assert_allclose(found.followed_now, lpr[loosest], rtol=1e-12)
    same = suggest(rigidity, targets[loosest], candidates, 3, objective="log")
    np.testing.assert_array_equal(same.chosen, found.chosen)


def test_many_targets_are_followed_by_a_fair_sample_and_other_objectives_refuse_them() -> None:
    rigidity, _, candidates = example()
    targets = np.random.default_rng(0).normal(size=(20_000, 14))
    found = suggest(rigidity, targets, candidates, 2, column="lpr")
    np.testing.assert_array_equal(found.followed, np.arange(0, 20_000, 8))
    np.testing.assert_allclose(found.lpr[0], MEANS["mean"](rigidity.lpr(targets)), rtol=1e-10)
    with pytest.raises(InvalidInputError, match="'lowest' allows at most 10000 targets, and there are more; use the"):
        suggest(rigidity, targets, candidates, 2, objective="lowest")
    said: list[str] = []
    suggest(rigidity, targets, candidates, 2, objective="lowest", loosest=50, announce=said.append)
    assert re.fullmatch(r"2 of 12 candidates for 50 targets by the objective 'lowest': about \d+ s", said[0])


def test_the_bits_depend_neither_on_threads_nor_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model, targets, candidates = fitted(), silicon(6, seed=20), silicon(5, seed=60)
    found = []
    for n_threads, limit in ((1, 4096), (2, 9), (2, 24)):
        monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", limit)
        found.append(suggest(model, targets, candidates, 3, largest_residual=1.0, n_threads=n_threads))
    for other in found[1:]:
        for name in ("chosen", "lpr", "alone", "followed_after", "target_weights"):
            np.testing.assert_array_equal(getattr(other, name), getattr(found[0], name))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept rows of a small model."""
    path = tmp_path_factory.mktemp("rows") / "si.rows"
    fitted(keep_rows=path, loss="per_atom")
    return path


def test_what_is_predicted_is_measured_when_the_rows_are_appended(rows: Path) -> None:
    model = TrainingRows(rows).fit().with_reference(silicon())
    targets = [rattled(frame, 7, by=0.2) for frame in silicon(2)]
    candidates = [*silicon(4, seed=40), *(labelled(frame.repeat((2, 1, 1))) for frame in silicon(3, seed=50))]
    found = suggest(model, targets, candidates, 3, largest_residual=1.0)
    kept = TrainingRows(rows)
    kept.append(found.frames())
    np.testing.assert_allclose(found.measured(kept.fit(), targets), found.lpr[-1], rtol=1e-8)
    np.testing.assert_allclose(found.measured(model, targets), found.lpr[0], rtol=1e-12)
    new_active_set = fitted([*silicon(), *found.frames()], loss="per_atom", n_active=30)
    assert found.measured(new_active_set, targets) != pytest.approx(found.lpr[-1], rel=1e-3)


def test_chosen_structures_keep_what_they_came_with_and_say_why_they_are_there() -> None:
    candidates = silicon(5, seed=60)
    for number, frame in enumerate(candidates):
        frame.info["config_type"] = ("bulk", "hot")[number % 2]
    found = suggest(fitted(), silicon(2, seed=20), candidates, 2, sources="config_type", largest_residual=1.0)
    for rank, (number, frame) in enumerate(zip(found.chosen, found.frames(), strict=True), start=1):
        assert frame.get_potential_energy() == candidates[number].get_potential_energy()
        assert frame.info["suggest_rank"] == rank
        assert frame.info["suggest_number"] == number
        assert frame.info["suggest_source"] == candidates[number].info["config_type"]
        assert frame.info["suggest_gain"] == found.gain[rank - 1]
        assert "suggest_rank" not in candidates[number].info
    np.testing.assert_array_equal(found.costs, 512.0)
    assert found.cost_unit == "atoms^3"


def test_blind_targets_are_counted_and_not_ranked() -> None:
    model = fitted()
    far = [Atoms("Si8", rng.random((8, 3)) * 3.0, cell=[20, 20, 20], pbc=True) for rng in [np.random.default_rng(1)]]
    targets = [*silicon(), *far]
    unlike = model.score(targets).verdict == 2
    assert unlike[-8:].all()
    found = suggest(model, targets, silicon(4, seed=40), 2)
    np.testing.assert_array_equal(found.blind, unlike)
    np.testing.assert_array_equal(found.target_weights > 0.0, ~unlike)
    assert str(found).splitlines()[1].startswith(f"blind     {unlike.sum()} targets (")
    first = str(suggest(model, [*silicon(1), *far, *far], silicon(4, seed=40), 2)).splitlines()[0]
    assert first.startswith("blind     most targets, ")
    assert "fit --active-from" in first
    with pytest.raises(InvalidInputError, match="8 of 8 targets are unlike the active set"):
        suggest(model, far, silicon(1), 1)
    without = SparseKernelModel.from_arrays(np.eye(4), [14] * 4, [0, 0, 1, 1], n_active=4, regularizer=1e-3)
    assert without.has_reference or without.descriptor is None


def test_each_species_or_frame_weighs_the_same_if_that_is_asked_for() -> None:
    from .structures import molecules

    model = fitted(molecules(), n_active=30)
    targets = molecules()[:3]
    numbers = np.concatenate([frame.numbers for frame in targets])
    options: dict[str, Any] = {"largest_residual": 1.0, "column": "lpr"}
    found = suggest(model, targets, molecules(), 1, target_weights="species", **options)
    for s in np.unique(numbers):
        assert found.target_weights[numbers == s].sum() == pytest.approx(1.0 / len(np.unique(numbers)))
    np.testing.assert_allclose(found.lpr[0], 1.0 / (found.target_weights / model.score(targets).lpr).sum(), rtol=1e-10)
    found = suggest(model, targets, molecules(), 1, target_weights="frame", **options)
    sizes = [len(frame) for frame in targets]
    np.testing.assert_allclose([p.sum() for p in np.split(found.target_weights, np.cumsum(sizes)[:-1])], 1 / 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither n nor cost_budget was given"),
        ({"n": 0}, "n is 0; it must be at least 1"),
        ({"n": 1, "objective": "best"}, "objective is 'best'; it must be one of mean, log, lowest"),
        ({"n": 1, "column": "variance"}, "column is 'variance'; it must be 'lpr' or 'lpr_held'"),
        ({"cost_budget": 0.0}, "cost_budget is 0.0; it must be positive"),
        ({"n": 1, "costs": [1.0, 2.0]}, r"costs has shape \(2,\); give one finite number, positive"),
        ({"n": 1, "sources": ["a"]}, "got 1 source for 12 candidates; name one for each"),
        ({"n": 1, "target_weights": [1.0, 2.0]}, "target_weights has 2 entries"),
        ({"n": 1, "target_weights": "atoms"}, "target_weights is 'atoms'; give 'species', 'frame', or a number"),
        ({"n": 1, "target_weights": np.zeros(30)}, "there are no targets that could be more rigid"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], message: str) -> None:
    rigidity, targets, candidates = example()
    with pytest.raises(InvalidInputError, match=message):
        suggest(rigidity, targets, candidates, **options)


def test_a_file_name_in_place_of_a_model_is_refused_in_a_sentence() -> None:
    with pytest.raises(
        InvalidInputError, match=r"model is 'm\.lpr'; give a model or a Rigidity, for example load_model"
    ):
        suggest("m.lpr", silicon(1), silicon(2), 1)  # type: ignore[arg-type]


def test_structures_that_cannot_be_used_are_named() -> None:
    gallium = [Atoms("Ga2", [[0, 0, 0], [0, 0, 2]])]
    with pytest.raises(InvalidInputError, match="candidates: frame 1, atom 0 is Ga, but the model knows only Si"):
        suggest(fitted(), silicon(1), [*silicon(1), *gallium], 1)
    with pytest.raises(InvalidInputError, match="targets: frame 0, atom 0 is Ga"):
        suggest(fitted(), gallium, silicon(1), 1)
    with pytest.raises(InvalidInputError, match="there are no candidates"):
        suggest(fitted(), silicon(1), [], 1)
    with pytest.raises(InvalidInputError, match="has no scores of its training environments"):
        suggest(fitted().holding(np.ones(12)), silicon(1), silicon(1), 1)


def test_the_command_writes_what_the_call_finds(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "train.xyz", silicon(), format="extxyz")
    fitted(ase.io.read(tmp_path / "train.xyz", ":"), hypers=HYPERS).save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "film.xyz", silicon(3, seed=20), format="extxyz")
    for name, seed in (("a.xyz", 40), ("b.xyz", 50)):
        ase.io.write(tmp_path / name, silicon(4, seed=seed), format="extxyz")
    options = ["--candidates", tmp_path / "a.xyz", "--candidates", tmp_path / "b.xyz", "--largest-residual", "1"]
    targets = ["--targets", tmp_path / "film.xyz"]
    printed = succeed("suggest", tmp_path / "m.lpr", *targets, *options, "-n", "3", "-o", tmp_path / "next.xyz").output
    model = SparseKernelModel.fit(
        ase.io.read(tmp_path / "train.xyz", ":"), hypers=HYPERS, n_active=12, regularizer=1e-3, zeta=2
    )
    pool = [*ase.io.read(tmp_path / "a.xyz", ":"), *ase.io.read(tmp_path / "b.xyz", ":")]
    found = suggest(model, ase.io.read(tmp_path / "film.xyz", ":"), pool, 3, largest_residual=1.0)
    written = ase.io.read(tmp_path / "next.xyz", ":")
    assert [frame.info["suggest_number"] for frame in written] == found.chosen.tolist()
    assert [frame.info["suggest_gain"] for frame in written] == found.gain.tolist()
    assert written[0].info["suggest_file"] == str(tmp_path / "ab"[found.chosen[0] // 4]) + ".xyz"
    assert written[0].info["suggest_frame"] == found.chosen[0] % 4
    with (tmp_path / "next.csv").open() as file:
        table = list(csv.DictReader(file))
    assert sorted(int(row["candidate"]) for row in table) == list(range(8))
    assert [float(row["gain_alone"]) for row in table] == sorted(found.alone, reverse=True)
    assert {row["rank"] for row in table} == {"", "1", "2", "3"}
    assert {row["cost (atoms^3)"] for row in table} == {"512.0"}
    for words in (
        "24, of which 24 are ranked",
        "chosen    3 of 8 candidates, cost 1536 atoms^3: ",
        "farthest-point sampling lowers it by",
        "--active-set",
    ):
        assert words in printed


def test_prototypes_may_be_candidates(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "film.xyz", silicon(1), format="extxyz")
    files = [tmp_path / "m.lpr", "--targets", tmp_path / "film.xyz", "-o", tmp_path / "next.xyz"]
    options = [
        "--prototypes",
        "diamond Si",
        "--prototypes",
        "bcc Si",
        "--max-per-source",
        "1",
        "--largest-residual",
        "1",
    ]
    succeed("suggest", *files, *options)
    written = ase.io.read(tmp_path / "next.xyz", ":")
    assert {frame.info["suggest_file"] for frame in written} == {"diamond Si", "bcc Si"}
    assert written[0].info["name"].startswith(written[0].info["suggest_file"].replace(" ", "_"))
    result = CliRunner().invoke(command, ["suggest", *map(str, files)])
    assert result.exit_code == 2
    assert "there are no candidates; give at least one" in result.output


def test_the_command_names_what_it_cannot_use(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "film.xyz", silicon(1), format="extxyz")
    fitted().save(tmp_path / "m.lpr")
    film = str(tmp_path / "film.xyz")
    for output, message in ((film, "would overwrite an input"), (str(tmp_path / "next.csv"), "ends in .xyz")):
        result = CliRunner().invoke(
            command, ["suggest", str(tmp_path / "m.lpr"), "--targets", film, "--candidates", film, "-o", output]
        )
        assert result.exit_code == 2
        assert message in result.output


def test_weights_of_the_atoms_of_structures_are_those_of_the_mean() -> None:
    model, targets = fitted(), silicon(2, seed=20)
    pool = silicon(6, seed=30)
    weights = np.random.default_rng(1).uniform(0.0, 1.0, 16)
    weights[3:7] = 0.0
    found = suggest(model, targets, pool, 2, target_weights=weights, largest_residual=1.0)
    forms = 1.0 / model.score(targets).lpr
    np.testing.assert_allclose(found.lpr[0], weights.sum() / (weights @ forms), rtol=1e-12)
    after = 1.0 / what_if(model, [pool[c] for c in found.chosen[:1]], targets).lpr[0]
    np.testing.assert_allclose(found.lpr[1], weights.sum() / (weights @ after), rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"target_weights": np.zeros(8)}, "no targets that could be more rigid"),
        ({"costs": lambda _: "much"}, "the cost of a candidate is 'much'; it must be a real number"),
        ({"largest_residual": float("nan")}, "largest_residual is nan; it must not be negative"),
        ({"largest_residual": "0.1"}, "largest_residual is '0.1'; it must be a real number"),
        ({"seed": -1}, "seed is -1; it must not be negative"),
    ],
)
def test_what_cannot_be_meant_is_told(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        suggest(fitted(), silicon(1, seed=20), silicon(2, seed=30), 1, **options)


def test_the_report_says_that_a_refit_holds_means_of_its_own() -> None:
    rigidity, targets, candidates = example()
    assert "and the same held means" in str(suggest(rigidity, targets, candidates, 2))
    assert "means" not in str(suggest(rigidity, targets, candidates, 2, column="lpr"))


def test_the_command_that_is_printed_names_the_features_that_structures_carry(tmp_path: Path) -> None:
    for name, seed in (("train", 0), ("film", 20), ("pool", 40)):
        frames = silicon(4, seed=seed)
        for frame in frames:
            frame.set_array("mine", np.abs(frame.positions) + 1.0)
        ase.io.write(tmp_path / f"{name}.xyz", frames, format="extxyz")
    succeed("fit", tmp_path / "train.xyz", "-o", tmp_path / "m.lpr", "--features", "mine", "--n-active", "8")
    files = ["--targets", tmp_path / "film.xyz", "--candidates", tmp_path / "pool.xyz", "-o", tmp_path / "next.xyz"]
    printed = succeed("suggest", tmp_path / "m.lpr", *files, "-n", "2", "--largest-residual", "1").output
    arguments = shlex.split(printed.split("then run: lpr-fast ")[1])
    assert arguments[arguments.index("--features") + 1] == "mine"
    arguments[arguments.index("new.lpr")] = str(tmp_path / "new.lpr")
    succeed(*arguments)


@pytest.mark.parametrize("kind", ["kernel", "linear"])
def test_the_command_that_is_printed_fits_the_model_that_was_predicted(kind: str, tmp_path: Path) -> None:
    for name, seed in (("train", 0), ("film", 20), ("pool", 40)):
        ase.io.write(tmp_path / f"{name}.xyz", silicon(4, seed=seed), format="extxyz")
    (tmp_path / "hypers.json").write_text(json.dumps(HYPERS))
    of_soap = ["--hypers", str(tmp_path / "hypers.json")]
    of_kind = ["--zeta", "3", "--n-active", "8"] if kind == "kernel" else ["--model", "linear"]
    settings = [*of_kind, "--loss", "per_atom", "--regularizer", "0.003"]
    succeed("fit", tmp_path / "train.xyz", "-o", tmp_path / "m.lpr", *of_soap, *settings)
    files = ["--targets", tmp_path / "film.xyz", "--candidates", tmp_path / "pool.xyz", "-o", tmp_path / "next.xyz"]
    printed = succeed("suggest", tmp_path / "m.lpr", *files, "-n", "2", "--largest-residual", "1").output
    arguments = shlex.split(printed.split("then run: lpr-fast ")[1])
    arguments[arguments.index("new.lpr")] = str(tmp_path / "new.lpr")
    succeed(*arguments, *of_soap)
    targets = ase.io.read(tmp_path / "film.xyz", ":")
    model, new = load_model(tmp_path / "m.lpr"), load_model(tmp_path / "new.lpr")
    found = suggest(model, targets, ase.io.read(tmp_path / "pool.xyz", ":"), 2, largest_residual=1.0)
    np.testing.assert_allclose(found.measured(new, targets), found.lpr[-1], rtol=1e-9)


@pytest.mark.parametrize(
    ("targets", "options", "sentence"),
    [
        ("-", [], "standard input (-) can be read only once; name a file for the others."),
        ("film.xyz", ["--budget-cost", "1"], "no candidate was chosen: none is within the budget"),
    ],
)
def test_the_command_writes_nothing_where_nothing_can_be_chosen(
    targets: str, options: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ase.io.write("film.xyz", silicon(2), format="extxyz")
    fitted().save("m.lpr")
    files = ["m.lpr", "--targets", targets, "--candidates", "-", "--largest-residual", "1", "-o", "next.xyz"]
    result = CliRunner().invoke(command, ["suggest", *files, *options], input=Path("film.xyz").read_text())
    assert result.exit_code == 2
    assert sentence in result.output
    assert not Path("next.xyz").exists()


@pytest.mark.parametrize("objective", MEANS)
def test_rows_that_cannot_be_ranked_are_told(objective: Any) -> None:
    rigidity, targets, candidates = example()
    with pytest.raises(InvalidInputError, match="no targets that could be more rigid"):
        suggest(rigidity, 0.0 * targets, candidates, 2, objective=objective)
    with pytest.raises(InvalidInputError, match="target_weights is 'frame', but rows have none"):
        suggest(rigidity, targets[:5], candidates, 2, objective=objective, target_weights="frame")
