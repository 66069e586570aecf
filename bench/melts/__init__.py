"""Crystals that are heated until they melt, by potentials that know the energy of every atom."""
