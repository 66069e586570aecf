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
from .rows._fitting import as_active_set, wanted_descriptor

if TYPE_CHECKING:
    from ase import Atoms


class SparseKernelModel(StructureModel):
    r"""Sparse kernel model with kernel (x . x')^zeta of normalised features, such as SOAP power spectra.

    The kernel is zero between atoms of different species. The weights minimise

    .. math::
        \sum_A w_A (y_A - X_A \cdot c)^2 + \mu\, c^T K_{MM} c, \qquad X_A = \sum_{i \in A} k_{Mi}

    with y_A the total energy less the baseline of the species. Build one with `fit`, or `load_model`.
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
        """Fit to structures; with energies the model predicts them, without it gives rigidities all the same.

        Memory is of order M^2 beyond the structures themselves: descriptors are computed in batches, twice. For files,
        see `fit_files`.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Training structures. What can be run through more than once, such as a list, is not copied, but run through
            again and again; of an iterator, the structures are kept.
        regularizer : float or "auto"
            mu > 0, in units of squared energies (of the loss) over the kernel's prior variance. "auto" takes that of
            least leave-one-out error, and needs energies (docs/guides/tuning.md); `provenance` says what was found.
        hypers : mapping, optional
            Keyword arguments of featomic's ``SoapPowerSpectrum``: ``cutoff``, ``density`` and ``basis``. featomic's
            ``max_radial=7`` means 8 radial functions.
        descriptor : str, callable or Descriptor, optional
            Instead of `hypers`, what gives features of any other kind: the name of an array of shape (n_atoms, D) that
            the structures carry (``Atoms.arrays``), a function that takes a list of structures and returns features of
            all their atoms, or a `Descriptor`.
        n_active : int or mapping
            M: in total, shared out among the species in proportion to their atoms, or for each element. They are
            chosen by farthest-point sampling from a pool of at most 5 times as many environments of each species (but
            2000), drawn by `seed`.
        active_set : array_like of int, shape (M, 2), or SparseKernelModel, optional
            Instead of `n_active`: pairs (structure, atom) of training environments, which stand in the model in order
            of species, structure and atom; or a model of the same species and descriptor, whose active set is taken as
            it is: what models that are to be compared have in common.
        active_from : iterable of ase.Atoms, optional
            Further structures whose environments join the pool, such as those that the model is to score; they are not
            fitted to, need no energies, and may have no species that the training set has not.
        zeta : float
            Power of the kernel, > 0.
        loss : {"total", "per_atom"}
            Whether residuals of total energies are squared, or of energies per atom: w_A = 1 or 1 / N_A^2. It sets the
            scale of the rigidities.
        weights : array_like, shape (n_frames,), or str, optional
            Further weight of each structure's squared residual, not negative; or where `Atoms.info` has it.
        sigmas : array_like, shape (n_frames,), or str, optional
            Instead of weights, the standard deviation of each structure's label, in its unit: the weight is
            1 / sigma^2. Of GAP's training files ``"energy_sigma"``.
        sigma : mapping or Noise, optional
            Standard deviations of the labels, in their units: ``{"energy": 0.01, "force": 0.1, "virial": 0.5}`` for
            total energies (eV), components of forces (eV/Å) and of virials (eV); kinds that are left out are not used.
            Keys of the structures, tables for groups and masks: see `Noise`. Instead of `regularizer`, `loss`,
            `weights` and `sigmas`: the weight of a label is 1 / sigma^2, and `loss` is ``"noise"``. Structures may
            lack labels.
        delta : float or "auto"
            With `sigma`, the prior standard deviation of the local energy, in eV: the regularizer is 1 / delta^2.
            "auto" takes that of largest evidence.
        energy_key : str or None
            Where `Atoms.info`, or the results that the calculator holds, have total energies. With None, or if no
            frame has the default "energy", the model has no energies.
        force_key, virial_key : str, optional
            Where `Atoms.arrays`, `Atoms.info`, or the results that the calculator holds, have forces (eV/Å; NaN for
            atoms without) and virials: nine numbers in eV, minus the derivatives of the energy with respect to strain.
            A name with "stress" in it is that of a stress as ASE has it, in eV/Å^3 and positive under tension, which
            is multiplied by minus the volume. The defaults are "forces" or "force", and "virial" or "stress".
        group_key : str
            Where `Atoms.info` says what kind of structure each is.
        baseline : mapping or "isolated", optional
            Energy per atom of each element to be taken off first; "isolated" takes those of the isolated atoms among
            the structures (one atom without periodicity, or of the group ``isolated_atom``). The default fits them by
            least squares of minimum norm. It is not part of the rigidity.
        hold : iterable of ase.Atoms
            Structures whose mean prediction `lpr_held` holds fixed beside those of the species: a phase, an isolated
            atom (docs/guides/held.md).
        seed : int
            Draws the pool.
        provenance : mapping, optional
            Further facts, such as the name of the training file, to keep in the model; JSON has to be able to hold it.
        keep_rows : path, optional
            File to keep the training rows in; see `TrainingRows`.
        memory : str or int, optional
            Cap such as ``"2GB"``: environments that the active set is chosen from are described in several passes.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            Called as ``progress(stage, atoms_done, atoms_in_all)``, such as a `ProgressLine`.

        Returns
        -------
        SparseKernelModel

        Raises
        ------
        InvalidInputError
            Naming what cannot be used, where possible by frame, atom and element.
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
        wanted = wanted_descriptor(hypers, descriptor)
        return fit_frames(cls, frames, wanted, settings, progress, keep_rows, active_from=active_from)

    @classmethod
    def from_arrays(
        cls,
        X: ArrayLike,
        species: ArrayLike,
        structure: ArrayLike,
        *,
        regularizer: Regularizer = "auto",
        n_active: int | None = None,
        active_set: ArrayLike | SparseKernelModel | None = None,
        zeta: float = 4,
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        sigmas: ArrayLike | None = None,
        energies: ArrayLike | None = None,
        baseline: Mapping[int, float] | None = None,
        seed: int = 0,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> SparseKernelModel:
        """Fit to features of any origin; `score_features` takes more of them, `save` writes the same kind of file.

        Parameters
        ----------
        X : array_like, shape (n_environments, D)
            Features of all training environments; they are normalised here.
        species : array_like of int, shape (n_environments,)
            Atomic numbers of the centres (or any other numbers >= 0, one for each kind of environment).
        structure : array_like of int, shape (n_environments,)
            Number of the structure that each environment belongs to. `weights` and `energies` stand in ascending order
            of these numbers.
        n_active : int, optional
            M, shared out among the species in proportion to their environments; see `fit`.
        active_set : array_like of int, shape (M,), or SparseKernelModel, optional
            Instead of `n_active`: rows of `X`, which stand in the model in order of species and row; or a model whose
            active set is taken as it is.
        energies : array_like, shape (n_structures,), optional
            Total energies; without them the model gives rigidities all the same.
        regularizer, zeta, loss, weights, sigmas, baseline, seed, provenance, n_threads, progress
            As for `fit`.

        Returns
        -------
        SparseKernelModel

        Raises
        ------
        InvalidInputError
            Naming what cannot be used, and its row.
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
        active: Mapping[int, ArrayLike],
        regularizer: float,
        zeta: float = 4,
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        sigmas: ArrayLike | None = None,
        baseline: Mapping[int, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
    ) -> SparseKernelModel:
        """Fit to training rows of any origin: of energies, forces and virials alike, such as the K_NM of GAP.

        `score_features`, C++, C and LAMMPS (``features c_ID``) then take the features of any environment.

        Parameters
        ----------
        rows : array_like, shape (N, M)
            Kernels of each structure with the active environments, summed over its atoms, or derivatives of such sums.
        active : mapping of int to array_like, shape (M_s, D)
            Features of the active environments of each species, in the order of the columns; they are normalised here.
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
            Naming what cannot be used, and its row.
        """
        settings = FitSettings(
            "sparse_kernel",
            regularizer=regularizer,
            n_active=1,  # until `active` has been looked at
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
