"""Models of structures: `ase.Atoms` in, numbers for each atom out."""
