"""Inverses in files: what is written, what is checked, what belongs to which network."""
