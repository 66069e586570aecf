"""Models of structures: scores of each atom of `ase.Atoms`."""
