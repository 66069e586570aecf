"""Training rows: computed, kept in a file, left out."""
