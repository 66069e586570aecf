"""Other packages on the input that lpr_fast takes: `inputs` makes it, each `with_*` runs where its package is."""
