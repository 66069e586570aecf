"""SOAP power spectra with a fixed, folded layout, by featomic."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError, MissingPackageError

try:
    import featomic
    from ase import Atoms
    from featomic._hypers import hypers_to_json
    from metatensor import Labels
except ImportError as error:  # pragma: no cover - tested in an environment of its own
    raise MissingPackageError(
        f"models of structures need ase and featomic ({error}); install them with: pip install 'lpr-fast[atoms]'"
    ) from error

from ._periodicity import for_featomic

Indices = NDArray[np.int64]


class Soap:
    """Folded SOAP power spectra of a fixed list of species.

    featomic stores rho_i^{a n1 l} rho_i^{b n2 l} for every pair a <= b of neighbour species. Where a = b the features
    (l, n1, n2) and (l, n2, n1) are equal bit for bit: one is kept, times sqrt(2). Scalar products do not change. Pairs
    of different species are not symmetric in n1 and n2, and stay as they are.

    Parameters
    ----------
    hypers : mapping
        Keyword arguments of featomic's ``SoapPowerSpectrum``: cutoff, density and basis.
    species : sequence of int
        Atomic numbers that may occur.
    """

    def __init__(self, hypers: Mapping[str, Any], species: Sequence[int]) -> None:
        self.hypers = plain_hypers(hypers)
        self.species = tuple(sorted({int(s) for s in species}))
        self._calculator = _calculator(self.hypers)
        self.cutoff = float(self.hypers["cutoff"]["radius"])
        properties = self._properties()
        n1, n2 = properties.column("n_1"), properties.column("n_2")
        self._all: tuple[Indices, Array] = np.arange(len(n1)), np.ones(len(n1))
        kept = np.flatnonzero(n1 <= n2)
        self._folded: tuple[Indices, Array] = kept, np.where(n1[kept] < n2[kept], np.sqrt(2.0), 1.0)
        self._columns = self._place_pairs()

    @property
    def n_features(self) -> int:
        """D, the number of features of an environment."""
        return max(int(columns.stop) for columns in self._columns.values())

    def compute(self, frames: Sequence[Atoms], atoms: Sequence[Indices] | None = None) -> Array:
        """Features of all atoms of all frames, or of chosen ones.

        Parameters
        ----------
        frames : sequence of ase.Atoms
            Checked by the caller; atoms of other species than the model's are left out of all environments, and get
            zeros.
        atoms : sequence of integer arrays, optional
            For each frame the atoms that are wanted, ascending.

        Returns
        -------
        numpy.ndarray, shape (n_atoms, D)
            Atoms in order, frame by frame.
        """
        if atoms is None:
            atoms = [np.arange(len(frame)) for frame in frames]
        wanted = np.array([(a, i) for a, chosen in enumerate(atoms) for i in chosen], dtype=np.int32).reshape(-1, 2)
        features = np.zeros((len(wanted), self.n_features))
        if not len(wanted):
            return features
        first = np.cumsum([0, *(len(frame) for frame in frames)])
        rows = np.full(first[-1], -1)
        rows[first[wanted[:, 0]] + wanted[:, 1]] = np.arange(len(wanted))
        everything = len(wanted) == len(rows)
        samples = None if everything else Labels(["system", "atom"], wanted)
        for key, block in self._blocks(frames, samples):
            if not len(block.samples):
                continue
            target = rows[first[block.samples.column("system")] + block.samples.column("atom")]
            kept, factors = self._folded if key[1] == key[2] else self._all
            features[target, self._columns[key[1:]]] = block.values[:, kept] * factors
        return features

    def sees_unknown_species(self, frames: Sequence[Atoms]) -> NDArray[np.bool_]:
        """Mask of atoms that are of other species than the model's, or have such an atom within the cutoff."""
        pairs = featomic.NeighborList(cutoff=self.cutoff, full_neighbor_list=True)
        masks = []
        for frame in frames:
            mask = ~np.isin(frame.numbers, self.species)
            if mask.any():
                unknown = np.unique(frame.numbers[mask])
                keys = np.array([(s, u) for s in self.species for u in unknown], dtype=np.int32)
                labels = Labels(["first_atom_type", "second_atom_type"], keys)
                for block in pairs.compute([for_featomic(frame, self.cutoff)], selected_keys=labels):
                    mask[block.samples.column("first_atom")] = True
            masks.append(mask)
        return np.concatenate(masks)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.hypers, self.species)

    def _pairs(self) -> Iterator[tuple[int, int]]:
        for i, a in enumerate(self.species):
            for b in self.species[i:]:
                yield a, b

    def _place_pairs(self) -> dict[tuple[int, int], slice]:
        columns, start = {}, 0
        for pair in self._pairs():
            stop = start + len(self._folded[0] if pair[0] == pair[1] else self._all[0])
            columns[pair] = slice(start, stop)
            start = stop
        return columns

    def _properties(self) -> Any:
        """Labels (l, n_1, n_2) of the unfolded features, read off a lone atom."""
        lone = Atoms(numbers=self.species[:1], positions=[[0.0, 0.0, 0.0]])
        return _run(lambda: self._calculator.compute([lone])).block(0).properties

    def _blocks(self, frames: Sequence[Atoms], samples: Any) -> Iterator[tuple[tuple[int, int, int], Any]]:
        keys = np.array([(c, a, b) for c in self.species for a, b in self._pairs()], dtype=np.int32)
        labels = Labels(["center_type", "neighbor_1_type", "neighbor_2_type"], keys)
        systems = [for_featomic(frame, self.cutoff) for frame in frames]
        spectra = _run(lambda: self._calculator.compute(systems, selected_keys=labels, selected_samples=samples))
        for key, block in spectra.items():
            yield (int(key[0]), int(key[1]), int(key[2])), block


def plain_hypers(hypers: Mapping[str, Any]) -> dict[str, Any]:
    """The hypers as plain, independent data that JSON can hold."""
    if not isinstance(hypers, Mapping):
        raise InvalidInputError(
            f"hypers is a {type(hypers).__name__}; it must be the dictionary of keyword arguments of featomic's "
            "SoapPowerSpectrum: cutoff, density and basis."
        )
    try:
        return dict(json.loads(json.dumps(hypers_to_json(copy.deepcopy(dict(hypers))), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"hypers cannot be written as JSON ({error}); use numbers, text, lists and dicts."
        ) from error


def _calculator(hypers: dict[str, Any]) -> Any:
    unknown = set(hypers) - {"cutoff", "density", "basis"}
    missing = {"cutoff", "density", "basis"} - set(hypers)
    if unknown or missing:
        what = (
            f"has no {', '.join(sorted(missing))}" if missing else f"has unknown entries {', '.join(sorted(unknown))}"
        )
        raise InvalidInputError(
            f"hypers {what}; it must be the dictionary of keyword arguments of featomic's SoapPowerSpectrum: cutoff, "
            "density and basis."
        )
    return _run(lambda: featomic.SoapPowerSpectrum(**hypers))


def _run(call: Any) -> Any:
    """What featomic answers, its errors put into one sentence."""
    try:
        return call()
    except (featomic.FeatomicError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).removeprefix("invalid parameter: ").rstrip(".")
        raise InvalidInputError(f"featomic refused the hypers or the structures: {reason}.") from error
