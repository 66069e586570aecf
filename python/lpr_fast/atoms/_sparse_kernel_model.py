"""Sparse kernel models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from .._arrays import Array
from .._progress import Progress, silent
from ..models._from_arrays import array_problem
from ..models._from_rows import kernel_model
from ..models._memory import as_bytes
from ..models._problem import fit
from ..models._scores import Loss
from ..models._settings import FitSettings, Regularizer
from ._frames import DEFAULT_ENERGY_KEY
from ._model import StructureModel
from .labels._noise import Noise
from .labels._noisy_labels import weighting
from .rows._fit_frames import fit_frames
from .rows._fitting import as_active_set, descriptor_to_use

if TYPE_CHECKING:
    from ase import Atoms


class SparseKernelModel(StructureModel):
    r"""Sparse kernel model with kernel (x . x')^zeta of normalised features, such as SOAP power spectra.

    The kernel is zero between atoms of different species. The weights minimise

    .. math::
        \sum_A w_A (y_A - X_A \cdot c)^2 + \mu\, c^T K_{MM} c, \qquad X_A = \sum_{i \in A} k_{Mi}

    with y_A the total energy minus the baseline of the species. Build one with `fit`, `from_arrays` or `from_rows`, or
    read one with `load_model`.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> from lpr_fast import SparseKernelModel
    >>> frames = [bulk("Cu", cubic=True) for _ in range(8)]
    >>> for seed, frame in enumerate(frames):
    ...     frame.rattle(0.1, seed=seed)
    ...     frame.info["energy"] = EMT().get_potential_energy(frame)
    >>> hypers = {
    ...     "cutoff": {"radius": 3.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    ...     "density": {"type": "Gaussian", "width": 0.4},
    ...     "basis": {"type": "TensorProduct", "max_angular": 3, "radial": {"type": "Gto", "max_radial": 3}},
    ... }
    >>> model = SparseKernelModel.fit(frames, hypers=hypers, n_active=10, regularizer=1e-4)
    >>> scores = model.score(bulk("Cu", "bcc", a=2.9))
    >>> scores.lpr.shape, scores.verdict.shape
    ((1,), (1,))
    """

    @classmethod
    def fit(
        cls,
        frames: Iterable[Atoms],
        *,
        regularizer: Regularizer = "auto",
        hypers: Mapping[str, Any] | None = None,
        descriptor: Any = None,
        n_active: int | Mapping[Any, int] | None = None,
        active_set: ArrayLike | SparseKernelModel | None = None,
        active_from: Iterable[Atoms] | None = None,
        zeta: float = 4,
        loss: Loss = "total",
        weights: ArrayLike | str | None = None,
        sigmas: ArrayLike | str | None = None,
        sigma: Noise | Mapping[str, Any] | None = None,
        delta: float | Literal["auto"] = "auto",
        energy_key: str | None = DEFAULT_ENERGY_KEY,
        force_key: str | None = None,
        virial_key: str | None = None,
        group_key: str = "config_type",
        baseline: Mapping[Any, float] | Literal["isolated"] | None = None,
        hold: Iterable[Atoms] = (),
        seed: int = 0,
        provenance: Mapping[str, Any] | None = None,
        keep_rows: str | PathLike[str] | None = None,
        memory: str | int | None = None,
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> SparseKernelModel:
        """Fit the model to structures. Without energies the model gives rigidities, but no predictions.

        Beyond the structures memory is of order M^2: features are computed in batches, twice. For files see
        `fit_files`.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Training structures. A list is iterated over several times and not copied; the structures of an iterator are
            kept.
        regularizer : float or "auto"
            mu > 0, in units of squared energies (of the loss) over the kernel's prior variance. "auto" chooses it by
            leave-one-out error, and needs energies; `provenance` contains the choice.
        hypers : mapping, optional
            Keyword arguments of featomic's ``SoapPowerSpectrum``: ``cutoff``, ``density`` and ``basis``. featomic's
            ``max_radial=7`` means 8 radial functions.
        descriptor : str, callable or Descriptor, optional
            Other features, in place of `hypers`: the name of an array of shape (n_atoms, D) in ``Atoms.arrays``, a
            function that takes a list of structures and returns the features of all their atoms, or a `Descriptor`.
        n_active : int or mapping
            Number of active environments, M: the total, divided among the species in proportion to their atoms, or the
            number for each element. They are chosen by farthest-point sampling from a random pool, for each species of
            5 times as many environments, at least 2000.
        active_set : array_like of int, shape (M, 2), or SparseKernelModel, optional
            The active set, in place of `n_active`: pairs (structure, atom) of training environments, which the model
            sorts by species, structure and atom; or a model of the same species and descriptor, whose active set is
            used. Models with the same active set can be compared.
        active_from : iterable of ase.Atoms, optional
            Further structures whose environments join the pool, such as those that the model will score. They are not
            fitted to, need no energies, and must not have other species than the training set.
        zeta : float
            Power of the kernel, > 0.
        loss : {"total", "per_atom"}
            Loss on total energies, w_A = 1, or on energies per atom, w_A = 1 / N_A^2. It sets the scale of the
            rigidities.
        weights : array_like, shape (n_frames,), or str, optional
            Further weight of each structure's squared residual, not negative; or its name in ``Atoms.info``.
        sigmas : array_like, shape (n_frames,), or str, optional
            Standard deviation of each structure's energy, in its unit, or its name in ``Atoms.info``
            (``"energy_sigma"`` in GAP's training files), in place of `weights`: the weight is 1 / sigma^2.
        sigma : mapping or Noise, optional
            Standard deviations of the labels, in their units: ``{"energy": 0.01, "force": 0.1, "virial": 0.5}`` for
            total energies (eV), components of forces (eV/Å) and of virials (eV). A kind without a standard deviation
            is not used. See `Noise` for standard deviations of single structures, of groups, and for masks. It replaces
            `regularizer`, `loss`, `weights` and `sigmas`: the weight of a label is 1 / sigma^2, and `loss` is
            ``"noise"``. Structures may lack labels.
        delta : float or "auto"
            With `sigma`, the prior standard deviation of the local energy, in eV: the regularizer is 1 / delta^2.
            "auto" chooses it by maximum evidence.
        energy_key : str or None
            Name of the total energies in ``Atoms.info`` or in the stored results of the calculator. With None, or if
            no frame has the default "energy", the model has no energies.
        force_key, virial_key : str, optional
            Names of forces and virials in ``Atoms.arrays``, ``Atoms.info`` or the stored results of the calculator.
            Forces are in eV/Å, NaN for atoms without a label. Virials are nine numbers in eV, minus the derivatives of
            the energy with respect to strain. A name with "stress" in it is that of a stress in ASE's convention, in
            eV/Å^3 and positive under tension, which is multiplied by minus the volume. The defaults are "forces" or
            "force", and "virial" or "stress".
        group_key : str
            Name of the group of each structure in ``Atoms.info``.
        baseline : mapping or "isolated", optional
            Energy per atom of each element, which is subtracted first. "isolated" takes the energies of the isolated
            atoms among the structures (one atom without periodicity, or of the group ``isolated_atom``). By default it
            is fitted by least squares of minimum norm. The baseline is not part of the rigidity.
        hold : iterable of ase.Atoms
            Structures whose mean prediction `lpr_held` holds fixed, in addition to the means of the species: a phase,
            an isolated atom; see `Rigidity.holding`.
        seed : int
            Seed of the random numbers that draw the pool.
        provenance : mapping, optional
            Further facts to keep in the model, such as the name of the training file; JSON must be able to represent
            them.
        keep_rows : path, optional
            File to write the training rows to; see `TrainingRows`.
        memory : str or int, optional
            Limit such as ``"2GB"``: the pool is described in several passes if it does not fit.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            Called as ``progress(stage, n_atoms_done, n_atoms)``, for instance a `ProgressLine`.

        Returns
        -------
        SparseKernelModel

        Raises
        ------
        InvalidInputError
            For structures and options that cannot be used; the message names frame, atom and element if possible.
        """
        settings = FitSettings(
            "sparse_kernel",
            **weighting(
                sigma,
                delta,
                regularizer=regularizer,
                loss=loss,
                weights=weights,
                sigmas=sigmas,
                group_key=group_key,
            ),
            n_active=n_active,
            active_set=as_active_set(active_set),
            zeta=zeta,
            energy_key=energy_key,
            force_key=force_key,
            virial_key=virial_key,
            group_key=group_key,
            baseline=baseline,
            hold=tuple(hold),
            seed=seed,
            provenance=provenance,
            memory=None if memory is None else as_bytes(memory),
            n_threads=n_threads,
        )
        wanted = descriptor_to_use(hypers, descriptor)
        return fit_frames(cls, frames, wanted, settings, progress, keep_rows, active_from=active_from)

    @classmethod
    def from_arrays(
        cls,
        X: ArrayLike,
        species: ArrayLike,
        structure: ArrayLike,
        *,
        regularizer: Regularizer = "auto",
        n_active: int | Mapping[Any, int] | None = None,
        active_set: ArrayLike | SparseKernelModel | None = None,
        zeta: float = 4,
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        sigmas: ArrayLike | None = None,
        energies: ArrayLike | None = None,
        baseline: Mapping[Any, float] | None = None,
        seed: int = 0,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> SparseKernelModel:
        """Fit the model to features from any source. `score_features` scores further environments.

        Parameters
        ----------
        X : array_like, shape (n_environments, D)
            Features of all training environments; they are normalised here.
        species : array_like of int or str, shape (n_environments,)
            Atomic numbers or symbols of the centres (or any other numbers >= 0, one for each kind of environment).
        structure : array_like of int, shape (n_environments,)
            Number of the structure that each environment belongs to. `weights` and `energies` are in ascending order
            of these numbers.
        n_active : int or mapping
            M, divided among the species in proportion to their environments, or the number for each species (atomic
            number or symbol); see `fit`.
        active_set : array_like of int, shape (M,), or SparseKernelModel, optional
            The active set, in place of `n_active`: rows of `X`, which the model sorts by species and row; or a model
            of as many features, not of SOAP, whose active set is used.
        energies : array_like, shape (n_structures,), optional
            Total energies. Without them the model gives rigidities, but no predictions.
        regularizer, zeta, loss, weights, sigmas, baseline, seed, provenance, n_threads, progress
            As for `fit`.

        Returns
        -------
        SparseKernelModel

        Raises
        ------
        InvalidInputError
            For arrays that cannot be used; the message names the row.
        """
        settings = FitSettings(
            "sparse_kernel",
            regularizer=regularizer,
            n_active=n_active,
            active_set=as_active_set(active_set),
            zeta=zeta,
            loss=loss,
            weights=weights,
            sigmas=sigmas,
            baseline=baseline,
            seed=seed,
            provenance=provenance,
            n_threads=n_threads,
        )
        return cls._of(fit(array_problem(X, species, structure, energies, settings, progress), stacklevel=3))

    @classmethod
    def from_rows(
        cls,
        rows: ArrayLike,
        targets: ArrayLike | None = None,
        *,
        active: Mapping[Any, ArrayLike],
        regularizer: float,
        zeta: float = 4,
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        sigmas: ArrayLike | None = None,
        baseline: Mapping[Any, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
    ) -> SparseKernelModel:
        """Fit the model to training rows of energies, forces and virials from any source, such as the K_NM of GAP.

        `score_features`, C++, C and LAMMPS (``features c_ID``) then score environments from their features.

        Parameters
        ----------
        rows : array_like, shape (N, M)
            Kernels of each structure with the active environments, summed over its atoms, or derivatives of such sums.
        active : mapping of int or str to array_like, shape (M_s, D)
            Features of the active environments of each species (atomic number or symbol), in the order of the columns;
            they are normalised here.
        targets, loss, weights, sigmas, baseline, provenance, n_threads
            As for `LinearModel.from_rows`.
        regularizer, zeta
            As for `fit`.

        Returns
        -------
        SparseKernelModel

        Raises
        ------
        InvalidInputError
            For arrays that cannot be used; the message names the row.
        """
        settings = FitSettings(
            "sparse_kernel",
            regularizer=regularizer,
            n_active=1,  # a placeholder: `active` determines the number
            zeta=zeta,
            loss=loss,
            weights=weights,
            sigmas=sigmas,
            baseline=baseline,
            provenance=provenance,
            n_threads=n_threads,
        )
        return cls._of(kernel_model(rows, targets, active, settings, stacklevel=3))

    @property
    def zeta(self) -> float:
        """Power of the kernel."""
        return float(self._facts["zeta"])

    @property
    def active_features(self) -> dict[int, Array]:
        """Features of the active environments of each species, in the order of the columns of `phi`."""
        features = super().active_features
        assert features is not None
        return features
