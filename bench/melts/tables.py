"""What the systems give, seed by seed, as numbers to keep and as tables."""

from __future__ import annotations

import numpy as np

from .columns import Columns
from .local_errors import MEASURES, local_errors, quartile_errors, rank_correlation
from .rules import RULES, SHARES
from .systems import PARTS

Numbers = dict[str, dict[str, list[float]]]


def of_seed(columns: dict[str, Columns]) -> Numbers:
    """Tables of one seed: title, row, a number for each of `PARTS`."""
    training, parts = columns["training"], [columns[name] for name in PARTS]
    errors = [local_errors(part, training) for part in parts]
    return {
        "frames that fire, %": {
            rule.name: [rule.fired(part, training) for part in parts] for rule in (*RULES, *SHARES)
        },
        "rank correlation with |local error|": {
            name: [rank_correlation(measure(part), e) for part, e in zip(parts, errors, strict=True)]
            for name, measure in MEASURES.items()
        },
        "mean |local error|, meV, by quartile of held LPR": {
            name: list(values)
            for name, values in zip(
                ("lowest", "second", "third", "highest"),
                np.transpose([quartile_errors(part, training) for part in parts]),
                strict=True,
            )
        },
        "sizes": {
            "frames": [float(part.frame[-1] + 1) for part in parts],
            "standard deviation of known local energies, meV": [deviation(part) for part in parts],
        },
    }


def deviation(columns: Columns) -> float:
    """Of the known energies of atoms of one species, meV."""
    of_species = [columns.known[columns.species == kind] for kind in np.unique(columns.species)]
    return float(1000 * np.sqrt(np.mean([energies.var() for energies in of_species])))


def print_system(name: str, seeds: list[Numbers]) -> None:
    """Lowest, mean and highest of the seeds, for each part."""
    for title, first in seeds[0].items():
        print(f"\n{name}: {title}\n{'':<48s}" + "".join(f"{part:>24s}" for part in PARTS))
        for row in first:
            values = np.array([seed[title][row] for seed in seeds])
            cells = np.transpose([values.min(axis=0), values.mean(axis=0), values.max(axis=0)])
            print(f"{row:<48s}" + "".join(f"{'':3s}" + "".join(f"{short(v):>7s}" for v in cell) for cell in cells))


def short(value: float) -> str:
    """Correlations with two decimals, all else without."""
    return f"{value:.2f}" if abs(value) < 1 and value != 0 else f"{value:.0f}"
