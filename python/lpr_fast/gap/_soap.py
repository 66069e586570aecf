"""The descriptors of a gap_fit command: one SOAP; others are ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidInputError
from .._species import symbol
from ._values import Options, as_float, as_integer, as_switch
from ._words import list_of, named, words_of

# Options of SOAP in gap_fit for which only this value is possible.
_FIXED = {
    "average": "F",
    "diagonal_radial": "F",
    "normalise": "T",
    "normalize": "T",
    "central_reference_all_species": "F",
    "covariance_sigma0": "0",
    "f0": "0",
    "nu_R": "2",
    "nu_S": "2",
    "Z_mix": "F",
    "R_mix": "F",
    "sym_mix": "F",
    "coupling": "T",
}

# Options for the arithmetic of gap_fit only.
_OF_ARITHMETIC = (
    *("basis_error_exponent", "radial_basis", "xml_version", "mark_sparse_atoms", "print_sparse_index"),
    *("unique_hash_tolerance", "unique_descriptor_tolerance", "n_species", "n_Z", "species_Z", "K", "mix_shift"),
    *("Z_map", "theta_fac", "lengthscale_factor", "theta_uniform", "lengthscale_uniform"),
)


@dataclass(frozen=True)
class Soap:
    """A SOAP descriptor of a gap_fit command.

    Attributes
    ----------
    hypers : dict
        Arguments of featomic's ``SoapPowerSpectrum``.
    zeta, delta : float
        Exponent and standard deviation of the kernel.
    n_sparse : int
        Sparse points of each centre species.
    center : int or None
        Atomic number of its centres; None for a template of all species.
    """

    hypers: dict[str, Any]
    zeta: float
    delta: float
    n_sparse: int
    center: int | None


def soaps_of(text: str, remarks: list[str]) -> list[Soap]:
    """The SOAP descriptors in `gap=`; a remark names the other ones, which are ignored.

    Raises
    ------
    InvalidInputError
        Without a SOAP, and for a SOAP without an equivalent.
    """
    found: list[Soap] = []
    for part in list_of(text):
        kind, *words = list(words_of(part)) or [""]
        if kind == "soap":
            found.append(_soap(Options(named(words, "soap of the gap_fit command"), remarks)))
        elif kind:
            remarks.append(
                f"the descriptor {kind} is ignored: SOAP has to learn what {kind} would, so that its delta may be too "
                "small (delta='auto', --delta auto), and strongly compressed structures are described worse."
            )
    if not found:
        raise InvalidInputError("gap of the gap_fit command has no soap; models here describe structures by SOAP.")
    _refuse_different(found)
    return found


def n_active_of(soaps: Sequence[Soap], species: Sequence[int]) -> dict[str, int]:
    """Number of active environments of each species."""
    template = next((soap.n_sparse for soap in soaps if soap.center is None), 0)
    of_center = {soap.center: soap.n_sparse for soap in soaps}
    return {symbol(s): of_center.get(s, template) for s in species}


def _soap(options: Options) -> Soap:
    what = "soap of the gap_fit command"
    if (kernel := options.need("covariance_type")).lower() != "dot_product":
        raise InvalidInputError(
            f"{what} has covariance_type={kernel}; only dot_product, (x . x')^zeta, is possible here."
        )
    n_max, l_max = as_integer("n_max", options.need("n_max")), as_integer("l_max", options.need("l_max"))
    width = as_float("atom_sigma", options.need("atom_sigma", "atom_gaussian_width"))
    density: dict[str, Any] = {"type": "Gaussian", "width": width}
    if (weight := as_float("central_weight", str(options.take("central_weight", default="1")))) != 1.0:
        density["center_atom_weight"] = weight
    density |= _scaling(options)
    hypers = {
        "cutoff": _cutoff(options),
        "density": density,
        "basis": {
            "type": "TensorProduct",
            "max_angular": l_max,
            "radial": {"type": "Gto", "max_radial": n_max - 1},
        },
    }
    delta = as_float("delta", options.need("delta", "energy_scale"))
    zeta = as_float("zeta", str(options.take("zeta", "soap_exponent", default="1")))
    soap = Soap(hypers, zeta, delta, _n_sparse(options), _center(options))
    options.refuse_others(what, _FIXED, "features here have no such thing")
    for name in _OF_ARITHMETIC:
        options.take(name)
    options.leave_out(dict.fromkeys(list(options.given), "this option of soap is not known here"))
    return soap


def _cutoff(options: Options) -> dict[str, Any]:
    radius = as_float("cutoff", options.need("cutoff"))
    width = as_float("cutoff_transition_width", str(options.take("cutoff_transition_width", default="0.5")))
    smoothing = {"type": "ShiftedCosine", "width": width} if width > 0.0 else {"type": "Step"}
    return {"radius": radius, "smoothing": smoothing}


def _scaling(options: Options) -> dict[str, Any]:
    """Radial scaling of the density: the formula is the same in gap_fit and featomic."""
    exponent = as_integer("cutoff_dexp", str(options.take("cutoff_dexp", default="0")))
    scale = as_float("cutoff_scale", str(options.take("cutoff_scale", default="1")))
    rate = as_float("cutoff_rate", str(options.take("cutoff_rate", default="1")))
    if not exponent:
        return {}
    if not rate > 0.0:
        raise InvalidInputError(
            f"soap of the gap_fit command has cutoff_rate={rate:g}; the weight of neighbours here is "
            "rate / (rate + (r / scale)^exponent) with a rate above zero."
        )
    return {"scaling": {"type": "Willatt2018", "exponent": exponent, "scale": scale, "rate": rate}}


def _n_sparse(options: Options) -> int:
    """Number of active environments, summed over groups."""
    n_sparse = as_integer("n_sparse", str(options.take("n_sparse", default="0")))
    if (groups := options.take("config_type_n_sparse")) is not None:
        counts = [as_integer("config_type_n_sparse", part) for part in list_of(groups)[1::2]]
        n_sparse += sum(counts)
        options.remarks.append(
            f"config_type_n_sparse={{{groups}}} is used as a sum: {n_sparse} active environments from all groups."
        )
    if n_sparse < 1:
        raise InvalidInputError("soap of the gap_fit command has no n_sparse; say how many environments become active.")
    method, file = str(options.take("sparse_method", default="RANDOM")), options.take("sparse_file")
    file_too = "" if file is None else f", and sparse_file={file} is ignored (use active_set)"
    options.remarks.append(
        "active environments are chosen by farthest-point sampling from a pool of at most 5 n_sparse, not by "
        f"sparse_method={method}{file_too}."
    )
    return n_sparse


def _center(options: Options) -> int | None:
    """The centre species of a SOAP that is given for each species."""
    number, is_template = options.take("Z"), options.take("add_species", default="T")
    if as_switch("add_species", str(is_template)) or number is None:
        return None
    return as_integer("Z", number)


def _refuse_different(soaps: Sequence[Soap]) -> None:
    """Refuse SOAPs that differ in more than their centres: a model has one descriptor, kernel and prior."""
    first, centers = soaps[0], [soap.center for soap in soaps]
    for soap in soaps[1:]:
        for name in ("hypers", "zeta", "delta"):
            if getattr(soap, name) != getattr(first, name):
                what = "other lengths or orders" if name == "hypers" else f"another {name}"
                raise InvalidInputError(
                    f"gap of the gap_fit command has two SOAPs, of which the second has {what}; keep one of them."
                )
    if len(set(centers)) < len(centers):
        raise InvalidInputError("gap of the gap_fit command has the same soap twice; keep one of them.")
