"""Structures to compute next: above the models of structures, below the command line."""
