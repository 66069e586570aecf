"""Which structures to compute next: crystals of one environment, and what structures would do to rigidities."""
