"""The descriptor in a model file: it lets the model score structures without featomic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .. import _core
from ..models._archive import DescriptorPart

if TYPE_CHECKING:
    from ..descriptors._descriptor import Descriptor
    from ..descriptors._soap import Soap


def descriptor_part(descriptor: Descriptor) -> DescriptorPart:
    """Return the descriptor's part of a model file: all of SOAP, only the identity of other descriptors."""
    from ..descriptors._descriptor import descriptor_facts
    from ..descriptors._soap import Soap

    if isinstance(descriptor, Soap):
        return _soap_part(descriptor)
    return DescriptorPart(descriptor_facts(descriptor))


def _soap_part(soap: Soap) -> DescriptorPart:
    """Return parameters, radial table, and the error of the table."""
    import featomic

    table = soap.table
    facts = {
        "kind": "soap",
        "hypers": soap.hypers,
        "cutoff": soap.cutoff,
        "angular": list(table.angular),
        "n_radial": list(table.n_radial),
        "error": table.error,
        "scatter": table.scatter,
        "featomic_version": featomic.__version__,
    }
    arrays = {
        "descriptor.edges": table.edges,
        "descriptor.coefficients": table.coefficients,
        "descriptor.center": table.center,
    }
    return DescriptorPart(facts, arrays)


def soap_of(part: DescriptorPart, species: tuple[int, ...]) -> Soap:
    """Return the SOAP descriptor from its part of a file."""
    from ..descriptors._radial_table import RadialTable
    from ..descriptors._soap import Soap

    facts, arrays = part.facts, part.arrays
    table = RadialTable(
        tuple(facts["angular"]),
        tuple(facts["n_radial"]),
        arrays["descriptor.edges"],
        arrays["descriptor.coefficients"],
        arrays["descriptor.center"],
        facts["error"],
        facts["scatter"],
    )
    return Soap(facts["hypers"], species, table)


def with_descriptor_of(model: _core.Model, descriptor: Descriptor) -> _core.Model:
    """Return the model with the descriptor of structures that computes its features."""
    return _described_by(model, descriptor_part(descriptor))


def _described_by(model: _core.Model, part: DescriptorPart) -> _core.Model:
    facts, arrays = model.parts()
    text = json.dumps(json.loads(facts) | {"descriptor": dict(part.facts)})
    return _core.Model.from_parts(text, {**arrays, **part.arrays})


def upgraded(model: _core.Model) -> _core.Model:
    """Return the model in the current format: files of version 1 lack the radial table, which featomic computes."""
    facts = json.loads(model.text)
    descriptor = facts["descriptor"]
    if descriptor is None or descriptor["kind"] != "soap" or "angular" in descriptor:
        return model
    from ..descriptors._soap import Soap

    return _described_by(model, _soap_part(Soap.from_hypers(descriptor["hypers"], facts["species"])))
