"""The SOAP power spectrum by its definition: quadrature for the radial integrals, Legendre sums for the angles.

p^{ab}_{l n1 n2} = (-1)^l / sqrt(2 l + 1) sum_jk R_n1l(r_j) R_n2l(r_k) (2 l + 1) / (4 pi) P_l(cos theta_jk), over
neighbours j of species a and k of species b, the center among its own species at distance zero; times sqrt(2) for
a != b.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.polynomial.legendre import leggauss
from scipy.special import eval_legendre, ive

Array = np.ndarray

_QUADRATURE = 400


def radial_integrals(hypers: dict[str, Any], distances: Array) -> Array:
    """Gto basis, Gaussian density, shifted cosine: (n_distances, n_l, n_radial)."""
    cutoff, width = hypers["cutoff"]["radius"], hypers["density"]["width"]
    n_l, n_radial = hypers["basis"]["max_angular"] + 1, hypers["basis"]["radial"]["max_radial"] + 1
    points, weights = leggauss(_QUADRATURE)
    # Basis functions end nowhere: they are integrated over all space.
    far = 4.0 * cutoff
    r, w = far / 2 * (points + 1), far / 2 * weights
    functions = _orthonormal(_gto(r, cutoff, n_radial), w * r**2)
    result = np.empty((len(distances), n_l, n_radial))
    for i, distance in enumerate(distances):
        x = r * distance / width**2
        gauss = np.exp(-((r - distance) ** 2) / (2 * width**2)) / (np.pi * width**2) ** 0.75
        for degree in range(n_l):
            result[i, degree] = 4 * np.pi * functions @ (w * r**2 * gauss * _scaled_bessel(degree, x))
    return result * _smoothing(hypers, distances)[:, None, None]


def _gto(r: Array, cutoff: float, n_radial: int) -> Array:
    n = np.arange(n_radial)[:, None]
    sigma = cutoff * np.maximum(np.sqrt(n), 1.0) / n_radial
    return r**n * np.exp(-(r**2) / (2 * sigma**2))


def _orthonormal(functions: Array, weights: Array) -> Array:
    """Loewdin's: S^-1/2 times the normalised functions."""
    functions = functions / np.sqrt((functions**2 * weights).sum(axis=1, keepdims=True))
    values, vectors = np.linalg.eigh((functions * weights) @ functions.T)
    return (vectors / np.sqrt(values)) @ vectors.T @ functions


def _scaled_bessel(degree: int, x: Array) -> Array:
    """exp(-x) i_l(x), modified spherical Bessel function of the first kind."""
    safe = np.maximum(x, 1e-30)
    return np.where(x > 0, np.sqrt(np.pi / (2 * safe)) * ive(degree + 0.5, safe), float(degree == 0))


def _smoothing(hypers: dict[str, Any], distances: Array) -> Array:
    cutoff, width = hypers["cutoff"]["radius"], hypers["cutoff"]["smoothing"]["width"]
    cosine = 0.5 * (1.0 + np.cos(np.pi * (distances - cutoff + width) / width))
    return np.where(distances < cutoff - width, 1.0, np.where(distances < cutoff, cosine, 0.0))


def power_spectra(frame: Atoms, hypers: dict[str, Any], species: list[int]) -> Array:
    """Folded features of every atom, (n_atoms, D)."""
    cutoff = hypers["cutoff"]["radius"]
    centers, others, vectors = neighbor_list("ijD", frame, cutoff)
    rows = []
    for atom in range(len(frame)):
        of_atom = centers == atom
        directions = np.vstack([vectors[of_atom], np.zeros(3)])
        numbers = np.append(frame.numbers[others[of_atom]], frame.numbers[atom])
        rows.append(_spectrum(directions, numbers, hypers, species))
    return np.array(rows)


def _spectrum(vectors: Array, numbers: Array, hypers: dict[str, Any], species: list[int]) -> Array:
    lengths = np.linalg.norm(vectors, axis=1)
    radial = radial_integrals(hypers, lengths)
    units = vectors / np.where(lengths > 0, lengths, 1.0)[:, None]
    cosines = np.clip(units @ units.T, -1.0, 1.0)
    parts = []
    for i, a in enumerate(species):
        for b in species[i:]:
            of_a, of_b = numbers == a, numbers == b
            for degree in range(radial.shape[1]):
                angular = eval_legendre(degree, cosines[np.ix_(of_a, of_b)]) * (2 * degree + 1) / (4 * np.pi)
                products = radial[of_a, degree].T @ angular @ radial[of_b, degree]
                parts.append(_folded(products, a == b) * (-1) ** degree / np.sqrt(2 * degree + 1))
    return np.concatenate(parts)


def _folded(products: Array, is_same: bool) -> Array:  # noqa: FBT001
    if not is_same:
        return np.sqrt(2) * products.ravel()
    rows, columns = np.triu_indices(len(products))
    return products[rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2))


def products(features: Array) -> Array:
    """Scalar products of every seventh row with all rows, in extended precision: no sum of NumPy's BLAS has a say."""
    exact = features.astype(np.longdouble)
    return exact[::7] @ exact.T


def spread_out(folded: Array, n_species: int, hypers: dict[str, Any]) -> Array:
    """Folded features, with both of each pair that had been one."""
    n_l, n = hypers["basis"]["max_angular"] + 1, hypers["basis"]["radial"]["max_radial"] + 1
    upper = np.triu_indices(n)
    parts, start = [], 0
    for a, b in itertools.combinations_with_replacement(range(n_species), 2):
        width = n * (n + 1) // 2 if a == b else n * n
        for _ in range(n_l):
            block = folded[:, start : start + width]
            start += width
            if a == b:
                square = np.zeros((len(folded), n, n))
                square[:, upper[0], upper[1]] = block / np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0))
                square[:, upper[1], upper[0]] = square[:, upper[0], upper[1]]
                block = square.reshape(len(folded), -1)
            parts.append(block)
    return np.hstack(parts)
