"""Simulations that score their atoms while they run."""
