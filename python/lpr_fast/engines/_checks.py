"""Checks of the arguments of calculators and observers."""

from __future__ import annotations

from os import PathLike

from ase.calculators.calculator import BaseCalculator

from .._errors import InvalidInputError
from ..atoms._model import StructureModel


def shown(value: object) -> str:
    """An unusable argument, for a message."""
    return repr(value) if value is None or isinstance(value, str | int | float | PathLike) else "something else"


def check_model(model: object) -> None:
    """Refuse objects that are not models of structures."""
    if not isinstance(model, StructureModel):
        raise InvalidInputError(
            f"model is {shown(model)}; give a SparseKernelModel or LinearModel, such as load_model returns."
        )


def check_calculator(name: str, calc: object) -> None:
    """Refuse objects that are not calculators of ASE."""
    if not isinstance(calc, BaseCalculator):
        raise InvalidInputError(f"{name} is {shown(calc)}; give a calculator of ASE, such as LennardJones().")
