"""Simulations that score their atoms."""
