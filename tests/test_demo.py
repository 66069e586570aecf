"""What the demo fits, scores and prints, and the data that it comes with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from click.testing import CliRunner
from matscipy.calculators.manybody import Manybody
from matscipy.calculators.manybody.explicit_forms import Kumagai
from matscipy.calculators.manybody.explicit_forms.kumagai import Kumagai_Comp_Mat_Sci_39_Si

from lpr_fast.command_line._commands import lpr_fast

DATA = Path(str(resources.files("lpr_fast") / "demo_data"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Its folder, and what it prints."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    result = CliRunner().invoke(lpr_fast, ["demo", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_the_demo_makes_what_it_says(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    for name in ("silicon.lpr", "scored.extxyz", "silicon.png", "alloy.lpr", "alloy.extxyz"):
        assert str(folder / name) in printed
        assert (folder / name).stat().st_size > 10_000
    table = [line.split() for line in printed.splitlines() if line[:10].strip().isdigit()]
    median = {int(row[0]): float(row[2]) for row in table}
    assert sum(int(row[1]) for row in table) == 1920
    assert median[4] > 5 * max(median[n] for n in median if n != 4)


def test_the_alloy_of_the_demo_shows_what_the_split_between_species_hides(demo: tuple[Path, str]) -> None:
    lines = [line.split() for line in demo[1].splitlines()]
    plain, held, residual, warned = (
        {(row[0], row[1]): float(row[column]) for row in lines if row[:1] in (["crystal"], ["melt"])}
        for column in (3, 4, 5, 6)
    )
    assert set(plain) == {(phase, species) for phase in ("crystal", "melt") for species in ("Cu", "Au")}
    for species in ("Cu", "Au"):
        crystal, melt = ("crystal", species), ("melt", species)
        assert 0.5 < plain[melt] / plain[crystal] < 2
        assert held[crystal] > 10 * held[melt]
        assert residual[melt] > 10 * residual[crystal]
        assert (warned[crystal], warned[melt]) == (0, 100)


def test_the_alloy_agrees_with_its_labels() -> None:
    train, trajectory = ase.io.read(DATA / "alloy_train.xyz", ":"), ase.io.read(DATA / "alloy_trajectory.xyz", ":")
    assert (len(train), len(trajectory)) == (60, 26)
    for frame in [*train, *trajectory[::5]]:
        bare = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=frame.pbc, calculator=EMT())
        assert frame.get_potential_energy() == pytest.approx(bare.get_potential_energy(), rel=1e-10)


def test_demo_data_are_small_and_agree_with_their_labels() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 600_000
    train, trajectory = ase.io.read(DATA / "train.xyz", ":"), ase.io.read(DATA / "trajectory.xyz", ":")
    assert (len(train), len(trajectory)) == (60, 30)
    potential = Manybody(**Kumagai(Kumagai_Comp_Mat_Sci_39_Si))
    for frame in [*train, *trajectory]:
        bare = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=frame.pbc, calculator=potential)
        assert frame.get_potential_energy() == pytest.approx(bare.get_potential_energy(), rel=1e-12)
