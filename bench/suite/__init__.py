"""What `kernel.py` is made of."""
