"""Frames out of files, scores into files."""
