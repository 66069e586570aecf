"""What the page on a carbon potential measures."""
