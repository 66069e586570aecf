"""Noise of labels: standard deviations of energies, forces and virials, in their units."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ..._arrays import LARGEST_ENTRY, Array, as_number
from ..._errors import InvalidInputError

if TYPE_CHECKING:
    from ase import Atoms

Kind: TypeAlias = Literal["energy", "force", "virial"]

#: Kinds of labels, in the order of a structure's rows.
KINDS: tuple[Kind, ...] = ("energy", "force", "virial")

_PLURAL: Mapping[str, str] = MappingProxyType({"energy": "energies", "force": "forces", "virial": "virials"})

# Names of standard deviations in GAP's training files; the first one present is used.
_GAP_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "energy": ("energy_sigma",),
        "force": ("force_component_sigma", "force_atom_sigma", "force_sigma"),
        "virial": ("virial_component_sigma", "virial_sigma"),
    }
)

# Places of xx yy zz yz xz xy among the nine numbers of a virial.
_VOIGT = [0, 4, 8, 5, 2, 1]


@dataclass(frozen=True, eq=False)
class FrameNoise:
    """Standard deviations of the labels of a frame; None for a kind of label that is not used.

    Attributes
    ----------
    energy : float or None
        Standard deviation of the total energy, in eV.
    force : numpy.ndarray, shape (N, 3), or None
        Standard deviations of the components of forces, in eV/Å; NaN for masked atoms.
    virial : numpy.ndarray, shape (6,), or None
        Standard deviations of the components xx, yy, zz, yz, xz, xy of the virial, in eV.
    """

    energy: float | None
    force: Array | None
    virial: Array | None


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Standard deviations of labels, in their units: the argument `sigma` of a fit.

    The standard deviation of a label is the first of these that exists: that of the frame, of a name in `keys`; that of
    the frame's group in `tables`; and `energy`, `force` or `virial`. The weight of the label is 1 / sigma^2.

    Parameters
    ----------
    energy : float or str, optional
        Standard deviation of total energies, in eV, or its name in ``Atoms.info``, which every frame with an energy
        must have. With None energies are not used.
    force : float or str, optional
        Standard deviation of the components of forces, in eV/Å, or the name of a number in ``Atoms.info`` or of an
        array of shape (N,) or (N, 3).
    virial : float or str, optional
        Standard deviation of the components of virials, in eV, or the name of one or nine numbers in ``Atoms.info``.
    tables : mapping of str to mapping, optional
        Standard deviations for groups of frames, such as ``{"liquid": {"energy": 0.05, "virial": None}}``. For a kind
        that is not in the table of a group, the general one is used; labels with None are not used.
    keys : mapping of str to str or sequence of str, optional
        For each kind, names of standard deviations that single frames have. With the convention "gap" the default is
        those of GAP's files: ``energy_sigma``, ``force_component_sigma``, ``force_atom_sigma``, ``force_sigma``,
        ``virial_component_sigma`` and ``virial_sigma``.
    convention : {"plain", "gap"}
        "plain": standard deviations are used as given. "gap": as in gap_fit, numbers for energies and virials,
        including those in tables, are multiplied by the square root of the number of atoms; those of frames are not.
    group_key : str
        Name in ``Atoms.info`` of the group that selects a table.
    mask_key : str
        Name of an array of the frames that is True for atoms whose forces are not used.

    Raises
    ------
    InvalidInputError
        For a standard deviation that is not positive, and if none is given.

    References
    ----------
    The convention "gap" is that of gap_fit (QUIP), whose options ``default_sigma`` and ``config_type_sigma`` are per
    root of the number of atoms unless ``sigma_per_atom=F``.
    """

    energy: float | str | None = None
    force: float | str | None = None
    virial: float | str | None = None
    tables: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    keys: Mapping[str, str | Sequence[str]] | None = None
    convention: Literal["plain", "gap"] = "plain"
    group_key: str = "config_type"
    mask_key: str = "force_mask"

    def __post_init__(self) -> None:
        """Check the arguments and convert numbers."""
        if self.convention not in ("plain", "gap"):
            raise InvalidInputError(f"the convention of sigma is {self.convention!r}; it must be 'plain' or 'gap'.")
        for name in ("group_key", "mask_key"):
            if not isinstance(getattr(self, name), str):
                raise InvalidInputError(f"{name} is {getattr(self, name)!r}; it must be a string.")
        for kind in KINDS:
            given = getattr(self, kind)
            if given is not None and not isinstance(given, str):
                self._set(kind, _positive(f"sigma of {_PLURAL[kind]}", given))
        self._set("tables", _checked_tables(self.tables))
        self._set("keys", self._checked_keys())
        if not self.keys and all(getattr(self, kind) is None for kind in KINDS):
            raise InvalidInputError("sigma has no energy, force or virial; give at least one standard deviation.")

    def of(self, frame: Atoms, *, labels: Collection[str] = KINDS, name: str = "the frame") -> FrameNoise:
        """Return the standard deviations of the labels of a frame.

        Parameters
        ----------
        frame : ase.Atoms
            The frame.
        labels : collection of str
            Kinds of labels that the frame has; others are ignored.
        name : str
            Name of the frame in errors.

        Returns
        -------
        FrameNoise

        Raises
        ------
        InvalidInputError
            For a standard deviation that is missing, of a wrong shape, or not positive.
        """
        found = {kind: self._of(kind, frame, name) for kind in KINDS if kind in labels}
        energy, force, virial = (found.get(kind) for kind in KINDS)
        return FrameNoise(
            None if energy is None else _of_energy(energy, name),
            None if force is None else self._masked(frame, _of_atoms(force, len(frame), name), name),
            None if virial is None else _of_virial(virial, name),
        )

    def group_of(self, frame: Atoms) -> str:
        """Return the group of a frame, which selects its table."""
        return str(frame.info.get(self.group_key, ""))

    @property
    def defaults(self) -> dict[str, float | None]:
        """The general standard deviations, of frames without a table and without their own ones."""
        given = {kind: getattr(self, kind) for kind in KINDS}
        return {kind: None if isinstance(sigma, str) else sigma for kind, sigma in given.items()}

    def facts(self) -> dict[str, Any]:
        """Return the arguments as JSON can represent them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen

    def _checked_keys(self) -> dict[str, list[str]]:
        given = (_GAP_KEYS if self.convention == "gap" else {}) if self.keys is None else self.keys
        if not isinstance(given, Mapping):
            raise InvalidInputError(f"keys of sigma is {given!r}; give names, such as {{'energy': 'energy_sigma'}}.")
        _refuse_strange("keys of sigma", given)
        return {kind: _names(kind, names) for kind, names in given.items()}

    def _of(self, kind: Kind, frame: Atoms, name: str) -> Array | None:
        """Return the standard deviation of a kind of label: that of the frame, of its group, or the general one."""
        assert isinstance(self.keys, dict)
        for key in self.keys.get(kind, ()):
            if (own := _own(frame, key)) is not None:
                return _checked(own, f"{key!r} of {name}")
        table = self.tables.get(self.group_of(frame), {})
        given = table.get(kind, getattr(self, kind))
        if isinstance(given, str):
            return _checked(_needed(frame, given, kind, name), f"{given!r} of {name}")
        if given is None:
            return None
        grows = self.convention == "gap" and kind != "force"
        return np.array(given * len(frame) ** 0.5 if grows else given)

    def _masked(self, frame: Atoms, force: Array, name: str) -> Array:
        mask = frame.arrays.get(self.mask_key)
        if mask is None:
            return force
        if mask.shape != (len(frame),) or not np.isin(mask, (False, True)).all():
            raise InvalidInputError(
                f"{self.mask_key!r} of {name} is not a mask; give True or False for each atom, True for atoms whose "
                "forces are not used."
            )
        return np.where(mask.astype(bool)[:, None], np.nan, force)


def as_noise(given: Noise | Mapping[str, Any], *, group_key: str) -> Noise:
    """Convert the argument `sigma` of a fit: a mapping has the arguments of `Noise`.

    Raises
    ------
    InvalidInputError
        For any other type.
    """
    if isinstance(given, Noise):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"sigma is {given!r}; give standard deviations by kind of label, such as {{'energy': 0.01, 'force': 0.1}}."
        )
    known = [each.name for each in fields(Noise)]
    if strange := [key for key in given if key not in known]:
        raise InvalidInputError(f"sigma has the unknown key {strange[0]!r}; it may have {', '.join(known)}.")
    return Noise(**{"group_key": group_key, **given})


def _positive(name: str, value: Any) -> float:
    number = as_number(name, value)
    if not 0.0 < number <= LARGEST_ENTRY:
        raise InvalidInputError(f"{name} is {number:g}; it must be finite and positive.")
    return number


def _names(kind: str, given: Any) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidInputError(f"the key of {kind} in keys of sigma is {given!r}; it must be a string.")
    return list(names)


def _refuse_strange(what: str, given: Mapping[str, Any]) -> None:
    if strange := [kind for kind in given if kind not in KINDS]:
        raise InvalidInputError(
            f"{what} have the unknown key {strange[0]!r}; they may have the kinds of labels energy, force and virial."
        )


def _checked_tables(given: Any) -> dict[str, dict[str, float | None]]:
    if not isinstance(given, Mapping) or not all(isinstance(table, Mapping) for table in given.values()):
        raise InvalidInputError(
            f"tables of sigma are {given!r}; give a table for each group, such as {{'liquid': {{'energy': 0.05}}}}."
        )
    found: dict[str, dict[str, float | None]] = {}
    for group, table in given.items():
        _refuse_strange(f"tables of sigma for {group!r}", table)
        found[str(group)] = {
            kind: None if sigma is None else _positive(f"sigma of {_PLURAL[kind]} for {group!r}", sigma)
            for kind, sigma in table.items()
        }
    return found


def _own(frame: Atoms, key: str) -> Any:
    """Return the value of a name in the frame's arrays or info."""
    return frame.info.get(key) if key not in frame.arrays else frame.arrays[key]


def _needed(frame: Atoms, key: str, kind: Kind, name: str) -> Any:
    if (own := _own(frame, key)) is None:
        raise InvalidInputError(
            f"{name} has {_PLURAL[kind]}, but not their standard deviation {key!r}; add it, or give a number."
        )
    return own


def _checked(given: Any, name: str) -> Array:
    """Convert to finite positive numbers."""
    array = np.asarray(given)
    if array.dtype == bool or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(f"{name} is {given!r}; a standard deviation must be a real number.")
    found = array.astype(np.float64)
    wrong = found[~((found > 0.0) & (found <= LARGEST_ENTRY))]
    if wrong.size:
        raise InvalidInputError(f"{name} is {wrong[0]:g}; a standard deviation must be finite and positive.")
    return found


def _of_energy(found: Array, name: str) -> float:
    if found.ndim:
        raise InvalidInputError(f"the energy sigma of {name} has shape {found.shape}; give one number.")
    return float(found)


def _of_atoms(found: Array, n_atoms: int, name: str) -> Array:
    if found.shape not in ((), (n_atoms,), (n_atoms, 3)):
        raise InvalidInputError(
            f"the force sigma of {name} has shape {found.shape}; give one number, one for each atom, or three for each "
            "atom."
        )
    return np.broadcast_to(found[:, None] if found.ndim == 1 else found, (n_atoms, 3)).copy()


def _of_virial(found: Array, name: str) -> Array:
    if found.size not in (1, 9) or found.ndim > 2:
        raise InvalidInputError(f"the virial sigma of {name} has shape {found.shape}; give one number, or nine.")
    return np.full(6, found.item()) if found.size == 1 else found.ravel()[_VOIGT]
