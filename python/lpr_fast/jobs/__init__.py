"""Runs over any number of frames: streams, restart, shards, workers; scoring and fitting."""
