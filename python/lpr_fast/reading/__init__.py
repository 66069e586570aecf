"""Frames out of files: formats, several files as one source. Floors above the models, below the jobs."""
