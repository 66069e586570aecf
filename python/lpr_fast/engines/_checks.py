"""What calculators and observers are given, checked before anything moves."""

from __future__ import annotations

from os import PathLike

from ase.calculators.calculator import BaseCalculator

from .._errors import InvalidInputError
from ..atoms._model import StructureModel


def shown(value: object) -> str:
    """What was given by mistake."""
    return repr(value) if value is None or isinstance(value, str | int | float | PathLike) else "something else"


def check_model(model: object) -> None:
    """Refuse what is no model of structures."""
    if not isinstance(model, StructureModel):
        raise InvalidInputError(
            f"model is {shown(model)}; give a SparseKernelModel or LinearModel, such as load_model returns."
        )


def check_calculator(name: str, calc: object) -> None:
    """Refuse what is no calculator of ASE."""
    if not isinstance(calc, BaseCalculator):
        raise InvalidInputError(f"{name} is {shown(calc)}; give a calculator of ASE, such as LennardJones().")
