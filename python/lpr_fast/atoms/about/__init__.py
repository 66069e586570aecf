"""What a model says of itself: lines for `print(model)` and for commands."""
