"""Sums of local predictions over structures and groups of atoms."""
