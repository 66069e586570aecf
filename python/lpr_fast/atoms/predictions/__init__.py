"""Energies, forces and stresses, and gradients of scores."""
