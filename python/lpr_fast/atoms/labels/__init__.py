"""Energies, forces and virials of structures, with their noise."""
