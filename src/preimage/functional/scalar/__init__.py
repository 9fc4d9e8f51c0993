"""Functions of a single number, applied elementwise."""
