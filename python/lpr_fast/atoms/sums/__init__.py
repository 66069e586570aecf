"""Sums of local predictions: of structures and of groups of atoms."""
