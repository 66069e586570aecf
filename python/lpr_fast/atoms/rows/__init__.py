"""Rows of a fit: made, kept in a file, left out."""
