"""Models that describe structures: features, phi, similarities."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import _core
from .._arrays import Array, as_count
from .._errors import InvalidInputError
from ..models import _archive
from . import _frames
from ._describer import Describer, SoapDescriber, other_describer
from ._descriptor_part import with_descriptor_of
from ._pipeline import Pipeline, stacked
from ._similarity import Prototypes
from ._stored_model import StoredModel
from .rows._gradient_rows import GradientBasis, GradientRows, gradient_basis

if TYPE_CHECKING:
    from ase import Atoms

AnyModel = TypeVar("AnyModel", bound="DescribedModel")


class DescribedModel(StoredModel):
    """A model with the descriptor of its structures: see `StructureModel`."""

    def with_descriptor(self: AnyModel, descriptor: Any) -> AnyModel:
        """Return a model built from arrays with the descriptor of structures that computes its features.

        It then does all that other models do with structures: scores, totals, groups, calibration, `suggest`, files of
        trajectories. The atomic numbers of the structures must be the species of the fit.

        Parameters
        ----------
        descriptor : str, callable or Descriptor
            As for `SparseKernelModel.fit`: for example the name of the features in ``Atoms.arrays``. Its features must
            be those that the model was fitted to, in the same order.

        Returns
        -------
        SparseKernelModel or LinearModel
            A model of the same kind.

        Raises
        ------
        InvalidInputError
            For a model that has a descriptor, and for descriptors that cannot be used.
        """
        from ..descriptors._imported import as_descriptor

        if self.descriptor is not None:
            raise InvalidInputError("this model has a descriptor; only a model built from arrays can be given one.")
        wanted = as_descriptor(descriptor)
        return self._of(with_descriptor_of(self._model, wanted), wanted)

    def features(self, frames: Iterable[Atoms]) -> Array:
        """Return the features of every atom.

        They are folded (equal ones are merged) and, for kernel models, normalised: kernels are (x . x')^zeta between
        atoms of one species, and zero between others.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            The structures.

        Returns
        -------
        numpy.ndarray, shape (n_atoms, D)

        Raises
        ------
        InvalidInputError
            For structures that cannot be described.
        """
        parts = (
            (piece, self.pipeline.comparable(self.pipeline.features(piece)))
            for piece in self.pipeline.pieces(frames, "error")
        )
        return stacked(parts, self.n_features)

    def phi(self, frames: Iterable[Atoms], *, n_threads: int = 0) -> Array:
        """Return phi, the derivatives of the local predictions with respect to the weights; see `Rigidity`.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            The structures.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n_atoms, M)

        Raises
        ------
        InvalidInputError
            For structures that cannot be described.
        """
        count = as_count("n_threads", n_threads)
        parts = (
            (piece, self._model.phi(self.pipeline.features(piece, count), piece.numbers.astype(np.int32), count))
            for piece in self.pipeline.pieces(frames, "error")
        )
        return stacked(parts, self._model.size)

    def gradient_rows(self, frame: Atoms, *, n_threads: int = 0) -> GradientRows:
        """Return the training rows of the forces and the virial of a structure.

        They are minus the derivatives of the structure row with respect to positions and strain; times the weights they
        give forces and virial.

        Parameters
        ----------
        frame : ase.Atoms
            The structure.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        GradientRows
            ``forces`` (3 N, M) and ``virials`` (6, M), per Å and per strain.

        Raises
        ------
        InvalidInputError
            For structures that cannot be scored, and models whose descriptor has no derivatives.
        """
        count = as_count("n_threads", n_threads)
        return self.gradient_basis.rows(self._one_structure(frame), count)

    @cached_property
    def gradient_basis(self) -> GradientBasis:
        """The object that computes rows of forces and virials; internal."""
        return gradient_basis(_archive.basis_of(self._model), self.pipeline.describer)

    def _one_structure(self, frame: Atoms) -> _core.Structure:
        """Return the atoms of a frame in bins; all must be of known species."""
        (ready,) = _frames.checked_frames([frame], self.pipeline.describer.ready, self.species, refuses_unknown=True)
        assert ready is not None  # none is skipped
        assert ready.structure is not None  # SOAP has a cutoff
        return ready.structure

    def similarity(self, frames: Iterable[Atoms], prototypes: Iterable[Atoms], *, n_threads: int = 0) -> Array:
        """Return the kernel of every atom with given structures, such as crystals.

        It is (x . x')^zeta of the normalised features x of the atom and x' of the most similar atom of the prototype,
        among those of the same species. zeta is the power of the model's kernel, 1 for linear models. A value of 1
        means the same environment.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            The structures.
        prototypes : iterable of ase.Atoms
            Structures to compare with, at least one.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n_atoms, n_prototypes)
            Zero where a prototype has no atom of the species.

        Raises
        ------
        InvalidInputError
            For structures that the model cannot describe, and if there are no prototypes.
        """
        count = as_count("n_threads", n_threads)
        return Prototypes(self.pipeline, prototypes, self.kernel_power, count).of_frames(self.pipeline, frames)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The object that takes frames through the model; internal."""
        scorer = None if self.hypers is None else _core.SoapScorer(self._model)
        describer = self._describer() if scorer is None else SoapDescriber.of(scorer.soap, self.species)
        is_kernel = self._facts["kind"] == "sparse_kernel"
        return Pipeline(self._model, describer, scorer, self.species, self.n_features, is_kernel)

    def _describer(self) -> Describer:
        """Return the descriptor of a model whose descriptor is not the core's."""
        facts = self._facts["descriptor"]
        if facts is None:
            raise InvalidInputError(
                "this model was built from arrays and has no descriptor; give the name of its features in the "
                "structures, or a function that computes them (with_descriptor, --descriptor)."
            )
        return other_describer(facts, self._outside, self.n_features, "this model was")
