"""Scores into files: formats, samples of environments, summaries, pictures."""
