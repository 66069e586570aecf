"""Which files a run writes."""

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

_KINDS: dict[str, Callable[[Path, About, str], Sink]] = {
    ".h5": HDF5,
    ".hdf5": HDF5,
    ".csv": Table,
    ".xyz": ExtendedXYZ,
    ".extxyz": ExtendedXYZ,
    ".npz": NumPyArrays,
}

# Names of files that come with the first output.
LEAST_RIGID = ".least-rigid.extxyz"
GROUPS = ".groups.csv"

# Packages that the bits of the results come from.
PACKAGES = ("ase",)


def checked(sinks: Sequence[str | PathLike[str]] | None, source: Source, inputs: list[Path]) -> list[Path]:
    """The outputs, or those that are made by default; throw for those that cannot be written.

    Raises
    ------
    InvalidInputError
        For suffixes that say nothing, folders, inputs, two outputs of one name, and no outputs for frames that have no
        file.
    """
    if isinstance(sinks, str | PathLike):
        sinks = [sinks]
    outputs = _default(source) if sinks is None else [Path(sink) for sink in sinks]
    for output in outputs:
        if output.suffix not in _KINDS and not output.name.endswith(CHEMISCOPE):
            raise InvalidInputError(
                f"{output} must end in .h5, .hdf5, .csv, .extxyz, .xyz, .npz, .chemiscope.json or .chemiscope.json.gz; "
                "that decides what is written."
            )
        refuse_output(output, [*inputs, *(source.paths if isinstance(source, Files) else [])])
        if output.exists() and not output.is_file():
            raise InvalidInputError(f"{output} exists and is no regular file; give the name of a file to write.")
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
    """A sink for each output, and one each for the least rigid environments and for groups, if there are to be any.

    `describe` gives features of atoms, `describe_groups` scores of groups; shards that are merged do without.
    """
    if least_rigid < 0:
        raise InvalidInputError(f"least_rigid is {least_rigid}; it must not be negative.")
    sinks: list[Sink] = []
    for output in outputs:
        if output.name.endswith(CHEMISCOPE):
            sinks.append(Chemiscope(output, about, describe=describe, tag=tag))
        else:
            sinks.append(_KINDS[output.suffix](output, about, tag))
    if least_rigid:
        output = outputs[0].with_name(outputs[0].name + LEAST_RIGID)
        sinks.append(LeastRigid(output, count=least_rigid, cutoff=about.cutoff, describe=describe, tag=tag))
    if groups is not None:
        sinks.append(GroupTable(outputs[0].with_name(outputs[0].name + GROUPS), about, describe_groups, tag))
    return sinks


def about(model: StructureModel, digest: str, *, forces: bool = False) -> About:
    """What files say of a model, and whether of the forces on atoms too."""
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
    """Versions of everything that the bits of results come from."""
    return {"lpr_fast": __version__, **{name: version(name) for name in PACKAGES}}


def _default(source: Source) -> list[Path]:
    if not isinstance(source, Files):
        raise InvalidInputError(f"there is no file name to derive outputs from ({source.name}); name the outputs.")
    first = source.paths[0]
    stem = Path(get_compression(first.name)[0]).stem
    return [first.with_name(f"{stem}.lpr{suffix}") for suffix in (".h5", ".csv")]
