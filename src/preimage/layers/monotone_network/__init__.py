"""Increasing functions made of neural networks, with a numerical inverse that cannot miss."""
