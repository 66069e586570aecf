"""The files that a run writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from os import PathLike
from pathlib import Path

from ase.io.formats import get_compression

from .. import __version__
from .._errors import InvalidInputError
from .._files import refuse_output
from ..atoms._model import StructureModel
from ..atoms.sums._totals import TOTAL_COLUMNS
from ..models._columns import columns_of
from ..reading._sources import Files, Source
from ._chemiscope import SUFFIXES as CHEMISCOPE
from ._chemiscope import Chemiscope
from ._group_table import DescribeGroups, GroupTable
from ._least_rigid import LeastRigid
from ._records import HDF5, NumPyArrays
from ._sampled import Describe
from ._sinks import About, ExtendedXYZ, Sink, Table
from ._spool import FACTS, beside

# Sinks by suffix.
SINKS: dict[str, Callable[[Path, About, str], Sink]] = {
    ".h5": HDF5,
    ".hdf5": HDF5,
    ".csv": Table,
    ".xyz": ExtendedXYZ,
    ".extxyz": ExtendedXYZ,
    ".npz": NumPyArrays,
}

# Suffixes of files beside the first output.
LEAST_RIGID = ".least-rigid.extxyz"
GROUPS = ".groups.csv"

# Packages that determine the bits of the results.
PACKAGES = ("ase",)


def checked(sinks: Sequence[str | PathLike[str]] | None, source: Source, inputs: list[Path]) -> list[Path]:
    """The outputs, or the default ones; those that cannot be written are refused.

    Raises
    ------
    InvalidInputError
        For unknown suffixes, folders, inputs, two outputs of one name, and frames without a file to name outputs
        after.
    """
    if isinstance(sinks, str | PathLike):
        sinks = [sinks]
    outputs = _default(source) if sinks is None else [Path(sink) for sink in sinks]
    for output in outputs:
        if output.suffix not in SINKS and not output.name.endswith(CHEMISCOPE):
            raise InvalidInputError(
                f"{output} has no known format; give a name that ends in {', '.join((*SINKS, *CHEMISCOPE))}."
            )
        refuse_output(output, [*inputs, *(source.paths if isinstance(source, Files) else [])])
        if output.exists() and not output.is_file():
            raise InvalidInputError(f"{output} exists and is not a regular file; give another name.")
    for suffix in (FACTS, LEAST_RIGID, GROUPS) if outputs else ():
        refuse_output(beside(outputs[0], suffix), [*inputs, *(source.paths if isinstance(source, Files) else [])])
    if not outputs or len({output.resolve() for output in outputs}) < len(outputs):
        given = ", ".join(map(str, outputs)) or "none"
        raise InvalidInputError(f"the outputs are {given}; give at least one, and each of them once.")
    return outputs


def sinks_of(
    outputs: list[Path],
    about: About,
    *,
    least_rigid: int,
    groups: str | None,
    describe: Describe | None = None,
    describe_groups: DescribeGroups | None = None,
    tag: str = "",
) -> list[Sink]:
    """A sink for each output, and for the least rigid environments and groups if they were asked for.

    `describe` computes features of atoms, `describe_groups` scores of groups; a merge of shards needs neither.
    """
    if least_rigid < 0:
        raise InvalidInputError(f"least_rigid is {least_rigid}; it must not be negative.")
    sinks: list[Sink] = []
    for output in outputs:
        if output.name.endswith(CHEMISCOPE):
            sinks.append(Chemiscope(output, about, describe=describe, tag=tag))
        else:
            sinks.append(SINKS[output.suffix](output, about, tag))
    if least_rigid:
        output = outputs[0].with_name(outputs[0].name + LEAST_RIGID)
        sinks.append(LeastRigid(output, count=least_rigid, cutoff=about.cutoff, describe=describe, tag=tag))
    if groups is not None:
        sinks.append(GroupTable(outputs[0].with_name(outputs[0].name + GROUPS), about, describe_groups, tag))
    return sinks


def about(model: StructureModel, digest: str, *, forces: bool = False) -> About:
    """Facts about a model, for files."""
    return About(
        model_sha256=digest,
        loss=model.loss,
        regularizer=model.regularizer,
        cutoff=model.cutoff,
        species=model.species,
        energy_key=str(model.provenance.get("energy_key") or ""),
        columns=tuple(columns_of(model.empty_scores(forces=forces))),
        versions=versions(),
        verdict_limits=model.verdict_limits,
        totals=() if model.sum_scoring.prior_variance == 0.0 else tuple(TOTAL_COLUMNS),
        zeta=model.kernel_power,
    )


def versions() -> dict[str, str]:
    """Versions of the packages that determine the bits of the results."""
    return {"lpr_fast": __version__, **{name: version(name) for name in PACKAGES}}


def _default(source: Source) -> list[Path]:
    if not isinstance(source, Files):
        raise InvalidInputError(f"outputs cannot be named after {source.name}; name them.")
    first = source.paths[0]
    stem = Path(get_compression(first.name)[0]).stem
    return [first.with_name(f"{stem}.lpr{suffix}") for suffix in (".h5", ".csv")]
