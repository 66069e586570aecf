"""A gap_fit command as a fit of this package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import InvalidInputError
from .._species import atomic_number, symbol
from ..atoms.labels._noise import KINDS, Noise
from ._soap import Soap, n_active_of, soaps_of
from ._values import Options, as_float, as_floats, as_integer, as_switch, as_table
from ._words import list_of, options_of

if TYPE_CHECKING:
    from ase import Atoms

# Options for the files and the arithmetic of gap_fit only.
_OF_GAP_FIT = (
    *("gp_file", "gap_file", "do_copy_at_file", "do_copy_atoms_file", "sparse_separate_file", "verbosity"),
    *("openmp_chunk_size", "mpi_blocksize", "mpi_blocksize_rows", "mpi_blocksize_cols", "mpi_print_all", "dryrun"),
    *("do_ip_timing", "template_file", "condition_number_norm", "linear_system_dump_file", "export_covariance"),
    *("sparsify_only_no_fit", "sparse_use_actual_gpcov"),
)

# Options without an equivalent, and why a fit ignores them.
_LEFT_OUT = {
    "hessian_parameter_name": "second derivatives cannot be fitted",
    "hessian_displacement": "second derivatives cannot be fitted",
    "hessian_delta": "second derivatives cannot be fitted",
    "local_property_parameter_name": "labels of single atoms cannot be fitted here",
    "local_property_mask_parameter_name": "labels of single atoms cannot be fitted here",
    "local_property0": "labels of single atoms cannot be fitted here",
    "default_local_property_sigma": "labels of single atoms cannot be fitted here",
    "default_kernel_regularisation_local_property": "labels of single atoms cannot be fitted here",
    "e0_offset": "include the offset in the baseline",
}

# Options that change the labels themselves.
_CORE = ("core_param_file", "core_ip_args", "baseline_param_filename", "baseline_ip_args")

_ALWAYS = (
    "radial functions are n_max orthogonalised Gaussian-type orbitals, not equispaced Gaussians.",
    "nothing is added to the kernels of the active set, so sparse_jitter is ignored.",
)


@dataclass(frozen=True)
class GapFit:
    """Settings of a gap_fit command.

    Attributes
    ----------
    train : str or None
        The file of training structures that the command names.
    options : dict
        Keyword arguments of `SparseKernelModel.fit` and `fit_files`.
    remarks : tuple of str
        A sentence for each difference, and for each ignored option.
    """

    train: str | None
    options: dict[str, Any]
    remarks: tuple[str, ...]


def read_gap_fit(command: str, *, species: Iterable[Any] | None = None) -> GapFit:
    """Read a gap_fit command: labels, noise, baseline and SOAP parameters for a fit of this package.

    Parameters
    ----------
    command : str
        The command, with or without the name of the program, or the text of its ``config_file``.
    species : iterable of str or int, optional
        Elements of the training structures; by default they are read from the file that the command names. They are
        needed because `n_sparse` is per element, and `e0` may be one number for all.

    Returns
    -------
    GapFit
        ``SparseKernelModel.fit(frames, **found.options)`` fits; ``found.remarks`` are the differences.

    Raises
    ------
    InvalidInputError
        For a command that cannot be read, and for other kinds of models.

    References
    ----------
    Options of gap_fit: https://libatoms.github.io/GAP/gap_fit.html
    """
    if not isinstance(command, str) or not command.strip():
        raise InvalidInputError("the gap_fit command is empty; give its text.")
    remarks: list[str] = []
    options = Options(_with_config_file(options_of(command)), remarks)
    train = options.take("atoms_filename", "at_file")
    soaps = soaps_of(options.need("gap"), remarks)
    elements = _elements(species, train)
    found = _soap_options(soaps, elements)
    found |= _keys(options)
    found |= {"sigma": _noise(options, str(found["group_key"])), "baseline": _baseline(options, elements)}
    if (seed := as_integer("rnd_seed", str(options.take("rnd_seed", default="-1")))) >= 0:
        found["seed"] = seed
    _refuse_core(options)
    options.take("sparse_jitter")
    for name in _OF_GAP_FIT:
        options.take(name)
    options.leave_out(_LEFT_OUT)
    options.leave_out(dict.fromkeys(list(options.given), "this option of gap_fit is not known here"))
    return GapFit(train, found, (*_ALWAYS, *dict.fromkeys(remarks)))


def _with_config_file(given: dict[str, str]) -> dict[str, str]:
    """Options of the command and of the file that it names."""
    if (name := given.pop("config_file", None)) is None:
        return given
    return {**options_of(Path(name).read_text()), **given}


def _elements(species: Iterable[Any] | None, train: str | None) -> list[int]:
    """Atomic numbers, ascending, from the caller or from the training file."""
    if species is not None:
        return sorted({atomic_number(element) for element in species})
    if train is None:
        raise InvalidInputError(
            "the gap_fit command names no training structures (atoms_filename), and no species were given; give one of "
            "them."
        )
    from ..reading._sources import source_of

    return elements_of(source_of(train).frames())


def elements_of(frames: Iterable[Atoms | InvalidInputError]) -> list[int]:
    """Atomic numbers of all frames, ascending; frames that cannot be read raise their exception."""
    found: set[int] = set()
    for frame in frames:
        if isinstance(frame, InvalidInputError):
            raise frame
        found.update(frame.numbers.tolist())
    return sorted(found)


def _soap_options(soaps: Sequence[Soap], elements: Sequence[int]) -> dict[str, Any]:
    soap = soaps[0]
    n_active = n_active_of(soaps, elements)
    return {"hypers": soap.hypers, "zeta": soap.zeta, "delta": soap.delta, "n_active": n_active}


def _keys(options: Options) -> dict[str, Any]:
    """Names of labels and groups; a stress counts where no virial is named."""
    prefix = options.take("parameter_name_prefix", default="")
    energy, force, group = (
        f"{prefix}{options.take(f'{kind}_parameter_name', default=kind)}" for kind in ("energy", "force", "config_type")
    )
    virial, stress = (options.take(f"{kind}_parameter_name") for kind in ("virial", "stress"))
    if virial is not None and stress is not None:
        options.remarks.append(f"stresses named {stress} are ignored, because virials named {virial} are fitted.")
    if stress is not None and virial is None:
        virial = stress
    elif virial is None and prefix:
        virial = "virial"
    names = {"energy_key": energy, "force_key": force, "group_key": group}
    return names if virial is None else names | {"virial_key": f"{prefix}{virial}"}


def _noise(options: Options, group_key: str) -> Noise:
    text = options.need("default_sigma", "default_kernel_regularisation")
    numbers = as_floats("default_sigma", text)
    if len(numbers) not in (3, 4):
        raise InvalidInputError(
            f"default_sigma of gap_fit is {{{text}}}; give four numbers: of energies, forces, virials, Hessians."
        )
    tables = as_table(
        "config_type_sigma", str(options.take("config_type_sigma", "config_type_kernel_regularisation", default="")), 4
    )
    tables.pop("default", None)  # gap_fit takes default_sigma then
    per_atom = options.take("sigma_per_atom", "kernel_regularisation_is_per_atom", default="T")
    stem = options.take("sigma_parameter_name", "kernel_regularisation_parameter_name", default="sigma")
    mask = options.take("force_mask_parameter_name", default="force_mask")
    return Noise(
        **_used(numbers, "default_sigma", options.remarks),
        tables={group: _used(row, f"config_type_sigma of {group}", options.remarks) for group, row in tables.items()},
        keys={
            "energy": f"energy_{stem}",
            "force": [f"force_component_{stem}", f"force_atom_{stem}", f"force_{stem}"],
            "virial": [f"virial_component_{stem}", f"virial_{stem}"],
        },
        convention="gap" if as_switch("sigma_per_atom", str(per_atom)) else "plain",
        group_key=group_key,
        mask_key=str(mask),
    )


def _used(numbers: Sequence[float], name: str, remarks: list[str]) -> dict[str, Any]:
    """Sigmas of the kinds of labels that have one; gap_fit refuses labels of a kind with zero."""
    plurals = {"energy": "energies", "force": "forces", "virial": "virials"}
    found: dict[str, Any] = {}
    for kind, sigma in zip(KINDS, numbers, strict=False):
        found[kind] = sigma if sigma > 0.0 else None
        if not sigma > 0.0:
            remarks.append(
                f"{name} has {sigma:g} for {plurals[kind]}: they are fitted only if a frame has its own sigma."
            )
    return found


def _baseline(options: Options, elements: Sequence[int]) -> Any:
    given, method = options.take("e0"), str(options.take("e0_method", default="isolated")).lower()
    if given is not None:
        parts = list_of(given)
        if len(parts) == 1:
            return dict.fromkeys(map(symbol, elements), as_float("e0", given))
        return {element: energy for element, (energy,) in as_table("e0", given, 1).items()}
    if method == "average":
        options.remarks.append(
            "e0_method=average: the baseline is fitted to the energies by least squares, one energy for each element, "
            "and is not the mean energy per atom for all."
        )
        return None
    if method != "isolated":
        raise InvalidInputError(f"e0_method of gap_fit is {method!r}; it must be isolated or average.")
    return "isolated"


def _refuse_core(options: Options) -> None:
    if found := [name for name in _CORE if options.take(name) is not None]:
        raise InvalidInputError(
            f"the gap_fit command has {found[0]}, a potential that is subtracted from the labels; subtract it from the "
            "energies, forces and virials in the file, and remove the option."
        )
