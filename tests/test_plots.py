"""Pictures of files of scores show all atoms, however many at a time are read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, plot_scores, score_trajectory
from lpr_fast.writing import _histograms

from .structures import HYPERS, fitted, gallium_arsenide, molecules, silicon


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Frames of different sizes and species, with an infinite LPR and some that are not known."""
    lone = Atoms("Ga", cell=[9, 9, 9], pbc=True)
    frames = [*gallium_arsenide(4, seed=7), *silicon(1), lone, *gallium_arsenide(2, seed=20)]
    model = fitted(gallium_arsenide(), regularizer=1e-2)
    score_trajectory(model, frames, [tmp_path / "md.lpr.h5"], unknown_species="nan")
    with h5py.File(tmp_path / "md.lpr.h5", "a") as file:
        file["atoms/lpr_held"][3] = np.inf
    return tmp_path / "md.lpr.h5"


@pytest.mark.parametrize("at_a_time", [1, 5, 8, 13, 1000])
def test_what_is_drawn_is_what_the_file_holds(at_a_time: int, scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_histograms, "_ATOMS_AT_A_TIME", at_a_time)
    counts = _histograms.counted(scores)
    with h5py.File(scores) as file:
        lpr, residual, species = (file["atoms"][name][:] for name in (counts.rigidity, "residual", "species"))
        verdict = file["atoms/verdict"][:]
        first = file["frames/first_atom"][:]
    finite = np.isfinite(lpr)
    assert (counts.n_frames, counts.n_atoms, counts.n_unknown) == (8, 57, 8)
    assert counts.n_infinite == np.isinf(lpr).sum() >= 1
    for number in (31, 33):
        expected = np.histogram(np.log10(lpr[finite & (species == number)]), counts.lpr_edges)[0]
        np.testing.assert_array_equal(counts.of_species[number], expected)
    assert sum(found.sum() for found in counts.of_species.values()) == finite.sum()
    residuals = np.log10(np.maximum(residual[finite], _histograms.SMALLEST_RESIDUAL))
    assert counts.residual_edges is not None
    expected = np.histogram2d(np.log10(lpr[finite]), residuals, (counts.lpr_edges, counts.residual_edges))[0]
    np.testing.assert_array_equal(counts.of_residual, expected)
    assert expected.sum() == finite.sum()
    for found, start, stop in zip(counts.lowest, first[:-1], first[1:], strict=True):
        of_frame = lpr[start:stop][finite[start:stop]]
        np.testing.assert_array_equal(found, of_frame.min() if len(of_frame) else np.nan)
    assert counts.verdicts is not None
    for found, start, stop in zip(counts.verdicts, first[:-1], first[1:], strict=True):
        assert found.tolist() == [np.count_nonzero(verdict[start:stop] == k) for k in range(3)]


def test_many_frames_are_drawn_as_the_lowest_of_some(scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = _histograms.counted(scores)
    monkeypatch.setattr(_histograms, "_MOST_POINTS", 3)
    some = _histograms.counted(scores)
    assert (some.frames_together, some.frames.tolist()) == (3, [0, 3, 6])
    expected = [np.nanmin(every.lowest[start : start + 3]) for start in (0, 3, 6)]
    assert some.lowest.tolist() == expected
    assert every.verdicts is not None
    assert some.verdicts is not None
    assert some.verdicts.tolist() == [every.verdicts[start : start + 3].sum(axis=0).tolist() for start in (0, 3, 6)]


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_pictures_are_what_their_suffixes_say_and_hold_no_time(suffix: str, begins: bytes, scores: Path) -> None:
    first, second = (plot_scores(scores, scores.with_name(name + suffix)).read_bytes() for name in ("a", "b"))
    assert first.startswith(begins)
    assert first == second


def test_the_svg_says_what_it_shows(scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    text = plot_scores(scores, scores.with_name("a.svg")).read_text()
    with h5py.File(scores) as file:
        digest = file.attrs["model_sha256"]
    for part in (
        digest[:12],
        "loss on total energies",
        "8 frames, 57 atoms",
        "1 atom of LPR infinite",
        "8 atoms of LPR NaN",
    ):
        assert part in text
    assert "Ga, " in text
    assert "As, " in text


def test_linear_models_have_two_panels_and_one_atom_is_enough(tmp_path: Path) -> None:
    model = LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-3)
    score_trajectory(model, silicon(1), [tmp_path / "out.h5"])
    assert _histograms.counted(tmp_path / "out.h5").of_residual is None
    assert plot_scores(tmp_path / "out.h5") == tmp_path / "out.png"
    score_trajectory(fitted(molecules()), Atoms("HO", [[0, 0, 0], [1, 0, 0]]), [tmp_path / "out.h5"])
    plot_scores(str(tmp_path / "out.h5"), str(tmp_path / "out.png"))


@pytest.mark.parametrize(("n_species", "n_atoms"), [(1, 1), (2, 3), (10, 40)])
def test_any_number_of_species_is_drawn(scores: Path, n_species: int, n_atoms: int) -> None:
    rng = np.random.default_rng(n_species)
    columns = {"lpr": 10.0 ** rng.normal(size=n_atoms), "residual": rng.random(n_atoms)}
    columns["lpr"][2:3] = np.nan
    columns["residual"][2:3] = np.nan
    columns["species"] = (np.arange(n_atoms) % n_species + 1).astype("i2")
    with h5py.File(scores, "a") as file:
        del file["atoms"], file["frames"]
        for name, values in columns.items():
            file[f"atoms/{name}"] = values
        file["frames/number"], file["frames/first_atom"] = np.array([4]), np.array([0, n_atoms])
    assert len(_histograms.counted(scores).of_species) == n_species
    assert plot_scores(scores).stat().st_size > 1000


def rewritten(change: Callable[[h5py.File], object]) -> Callable[[Path], Path]:
    def rewrite(path: Path) -> Path:
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return rewrite


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:3000])
    return path


def text(path: Path) -> Path:
    path.write_text("frame,atoms\n")
    return path


@pytest.mark.parametrize(
    ("prepare", "output", "expected"),
    [
        (text, None, "is not an HDF5 file; pictures need .* with -o md.lpr.h5"),
        (cut, None, "is damaged or incomplete; write it again with lpr-fast score"),
        (rewritten(lambda f: f.attrs.pop("format")), None, "has no scores of lpr_fast; give an HDF5 file"),
        (rewritten(lambda f: f.attrs.modify("format_version", 99)), None, "has version 99 of the format"),
        (rewritten(lambda f: f.pop("frames")), None, "is damaged or incomplete"),
        (rewritten(lambda f: f["atoms/lpr_held"].__setitem__(slice(None), np.nan)), None, "no atom with a finite LPR"),
        (lambda path: path, "out.jpg", "give a name that ends in .png, .pdf or .svg"),
        (lambda path: path, "none/out.png", "does not exist; make it first"),
    ],
)
def test_what_cannot_be_drawn_gets_one_sentence(
    prepare: Callable[[Path], Path], output: str | None, expected: str, scores: Path
) -> None:
    path = prepare(scores)
    before = set(path.parent.iterdir())
    with pytest.raises(InvalidInputError, match=expected) as caught:
        plot_scores(path, None if output is None else path.parent / output)
    assert len(str(caught.value).splitlines()) == 1
    assert set(path.parent.iterdir()) == before


def test_nothing_scored_is_nothing_to_draw(tmp_path: Path) -> None:
    model = fitted()
    score_trajectory(model, gallium_arsenide(1), [tmp_path / "out.h5"], on_error="skip")
    with pytest.raises(InvalidInputError, match="no atom with a finite LPR"):
        plot_scores(tmp_path / "out.h5")
    with pytest.raises(FileNotFoundError):
        plot_scores(tmp_path / "none.h5")


def test_the_command_draws_and_says_where(scores: Path) -> None:
    command = [sys.executable, "-c", "from lpr_fast.command_line import main; main()", "plot", str(scores)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"written   {scores.with_suffix('.png')}\n"
    assert scores.with_suffix(".png").stat().st_size > 10_000
