"""The modules of a network as a single function of features and weights, in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from .._arrays import Array
from .._errors import InvalidInputError
from .._species import keyed_by_species
from .._words import counted
from ._atoms import Atoms

#: A module for all atoms, or one for each species.
Modules: TypeAlias = torch.nn.Module | Mapping[Any, torch.nn.Module]

#: Maps a module and its arguments to a component of its predictions, (n,) or (n, 1).
Component: TypeAlias = Callable[..., Tensor]

# Name of a module for atoms of all species.
_ALL = "all"

# Entries of the rows of a batch: 16 MB.
_BATCH = 2**21

# Number of atoms whose predictions alone and together are compared.
_COMPARED = 8

# Largest relative difference by rounding in sums of another order.
_ROUNDING = 1e-9


class _PerAtom(torch.nn.Module):
    """All modules: features of atoms of one species, (n, D) -> predictions, (n,)."""

    def __init__(self, modules: Modules) -> None:
        super().__init__()
        given = modules if isinstance(modules, Mapping) else {_ALL: modules}
        self.of_species = torch.nn.ModuleDict({str(key): module for key, module in given.items()})

        self.component: Component | None = None

    def forward(self, key: str, features: Tensor, species: Tensor | None) -> Tensor:
        """Return the predictions of the module of a key, or of a component of it."""
        module = self.of_species[key]
        given = (features,) if species is None else (features, species)
        predicted: Tensor = module(*given) if self.component is None else self.component(module, *given)
        return predicted


class Network:
    """A copy of the user's modules: in float64, on the CPU, in evaluation mode.

    The weights are one vector of size M: the parameters that require gradients, in the order of
    ``named_parameters()``, for species in ascending order. Frozen parameters are not weights.
    """

    def __init__(self, modules: Modules) -> None:
        if torch.is_inference_mode_enabled():
            raise InvalidInputError("torch.inference_mode is on, which has no gradients; leave it first.")
        try:
            self._module = copy.deepcopy(_PerAtom(_checked(modules))).to("cpu", torch.float64).eval()
        except RuntimeError as error:
            raise InvalidInputError(
                f"the module cannot be copied ({_first_line(error)}); give one that copy.deepcopy can copy."
            ) from error
        self._is_mapping = isinstance(modules, Mapping)
        self._trained = _trained(self._module)
        if not self._trained:
            raise InvalidInputError("the module has no parameter that requires gradients; unfreeze at least one.")

    @property
    def size(self) -> int:
        """M, the number of weights."""
        return sum(p.numel() for p in self._trained.values())

    @property
    def weights(self) -> Tensor:
        """A copy of the weights c: (M,)."""
        return parameters_to_vector(self._trained.values()).detach().clone()

    def named(self, weights: Tensor) -> dict[str, Tensor]:
        """Return a vector of weights as parameters by name."""
        parts = torch.split(weights, [p.numel() for p in self._trained.values()])
        return {name: part.view_as(p) for (name, p), part in zip(self._trained.items(), parts, strict=True)}

    def with_weights(self, weights: Tensor) -> Network:
        """Return the network with other weights."""
        other = copy.copy(self)
        other._module = copy.deepcopy(self._module)
        other._trained = _trained(other._module)
        vector_to_parameters(weights, other._trained.values())
        return other

    def with_component(self, component: Component) -> Network:
        """Return the network with a component of its predictions."""
        other = self.with_weights(self.weights)
        other._module.component = component
        return other

    @property
    def species(self) -> frozenset[int] | None:
        """Species with a module; None if one module is for all species."""
        return frozenset(map(int, self._module.of_species)) if self._is_mapping else None

    @property
    def modules(self) -> Modules:
        """The copies, as a single module or as a dictionary like the user's."""
        if self._is_mapping:
            return {int(key): module for key, module in self._module.of_species.items()}
        return self._module.of_species[_ALL]

    def predict(self, atoms: Atoms) -> Array:
        """Return local predictions: (n,)."""
        with torch.no_grad():
            return self.local(atoms).numpy()

    def local(self, atoms: Atoms, weights: dict[str, Tensor] | None = None) -> Tensor:
        """Return differentiable local predictions, with the network's weights or others: (n,)."""
        if not len(atoms):
            return torch.zeros(0, dtype=torch.float64)
        if not self._is_mapping:
            return self._called(weights, _ALL, atoms.features, atoms.species)
        kinds = list(atoms.kinds())
        pieces = [self._called(weights, key, atoms.features[places], None) for key, places in kinds]
        order = torch.argsort(torch.cat([places for _, places in kinds]))
        return torch.cat(pieces)[order]

    def _called(self, weights: dict[str, Tensor] | None, key: str, features: Tensor, species: Tensor | None) -> Tensor:
        try:
            given = key, features, species
            predicted = self._module(*given) if weights is None else self._functional(weights, given)
        except Exception as error:
            raise InvalidInputError(
                f"the module fails for features of shape {tuple(features.shape)} in float64 ({_first_line(error)}); it "
                "must accept features (n, D), and also species (n,) if these are given for a single module."
            ) from error
        return _as_column(predicted, len(features))

    def _functional(self, weights: dict[str, Tensor], given: tuple[object, ...]) -> Tensor:
        """Call the module with other weights; shared parameters are replaced in all places, which torch does not do."""
        names = {id(p): name for name, p in self._trained.items()}
        everywhere = {place: weights[names[id(p)]] for place, p in _places(self._module) if id(p) in names}
        predicted: Tensor = functional_call(self._module, everywhere, given, tie_weights=False)
        return predicted

    def atom_rows(self, atoms: Atoms) -> Iterator[Tensor]:
        """Yield batches of rows phi_i = d y_i / dc of all atoms: (n, M) each."""
        step = max(1, _BATCH // self.size)
        for first in range(0, len(atoms), step):
            part = atoms.select(slice(first, first + step))
            if not self._is_mapping:
                yield self._rows(_ALL, part.features, part.species)
                continue
            rows = torch.empty(len(part), self.size, dtype=torch.float64)
            for key, places in part.kinds():
                rows[places] = self._rows(key, part.features[places], None)
            yield rows

    def _rows(self, key: str, features: Tensor, species: Tensor | None) -> Tensor:

        def local(weights: dict[str, Tensor], features: Tensor, number: Tensor | None) -> Tensor:
            given = key, features[None], None if number is None else number[None]
            return self._functional(weights, given).reshape(())

        weights = {name: p.detach() for name, p in self._trained.items()}
        of_each = vmap(grad(local), in_dims=(None, 0, None if species is None else 0))
        try:
            blocks = of_each(weights, features, species)
        except Exception as error:
            raise InvalidInputError(
                f"torch.func cannot differentiate the module for each atom ({_first_line(error)}); give one without "
                "branches that depend on values and without in-place operations."
            ) from error
        return torch.cat([blocks[name].flatten(start_dim=1) for name in self._trained], dim=1)

    def structure_rows(self, structures: list[Atoms]) -> Iterator[Tensor]:
        """Yield batches of structure rows X_A, the sums of phi over the atoms: (n, M) each.

        Each row is the gradient of one total, so that it does not depend on other structures.
        """
        step = max(1, _BATCH // self.size)
        weights = tuple(self._trained.values())
        for first in range(0, len(structures), step):
            rows = []
            for structure in structures[first : first + step]:
                with torch.enable_grad():
                    total = self.local(structure).sum()
                blocks = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
                rows.append(parameters_to_vector(blocks))
            yield torch.stack(rows)

    def totals(self, structures: list[Atoms]) -> Tensor:
        """Return Y_A, the sums of the local predictions of each structure: (N,)."""
        with torch.no_grad():
            return torch.stack([self.local(structure).sum() for structure in structures])

    def refuse_dependent(self, atoms: Atoms) -> None:
        """Raise if the prediction of an atom depends on other atoms, or is random."""
        some = atoms.select(slice(0, _COMPARED))
        together = self.predict(some)
        alone = [float(self.predict(some.select(slice(i, i + 1)))[0]) for i in range(len(some))]
        largest = abs(together).max(initial=0.0)
        if not all(abs(a - b) <= _ROUNDING * largest for a, b in zip(alone, together, strict=True)):
            raise InvalidInputError(
                "the module gives different predictions for an atom alone and among others; give a module whose "
                "prediction of an atom depends on its features alone (no batch statistics, no randomness)."
            )


def _trained(module: torch.nn.Module) -> dict[str, Tensor]:
    """Return the parameters that require gradients, each once."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def _places(module: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield all names of parameters, those of a shared module once."""
    for prefix, each in module.named_modules():
        yield from each.named_parameters(prefix, recurse=False, remove_duplicate=False)


def _checked(modules: Modules) -> Modules:
    if isinstance(modules, torch.nn.Module):
        return modules
    is_mapping = isinstance(modules, Mapping) and modules
    if not is_mapping or not all(isinstance(module, torch.nn.Module) for module in modules.values()):
        raise InvalidInputError(
            f"the module is a {type(modules).__name__}; give a torch.nn.Module, or a dictionary with one for each "
            "species."
        )
    numbered = keyed_by_species("the module", modules)
    if not all(isinstance(s, int) for s in numbered):
        raise InvalidInputError("the species of the modules are not integers; give a dictionary such as {14: module}.")
    return dict(sorted(numbered.items()))


def _as_column(predicted: object, count: int) -> Tensor:
    """Return predictions as (n,), from (n,) or (n, 1)."""
    if not isinstance(predicted, Tensor) or predicted.dtype != torch.float64:
        raise InvalidInputError(
            "the module does not return a float64 tensor although its parameters are float64; give one without a fixed "
            "dtype."
        )
    if predicted.shape not in ((count,), (count, 1)):
        raise InvalidInputError(
            f"the module returns shape {tuple(predicted.shape)} for {counted(count, 'atom')}; it must be ({count},) or "
            f"({count}, 1), a prediction for each."
        )
    return predicted.reshape(count)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".:") if str(error) else type(error).__name__
