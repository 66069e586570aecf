"""Which structures to compute next: what they would do to rigidities, before anybody computes them."""
