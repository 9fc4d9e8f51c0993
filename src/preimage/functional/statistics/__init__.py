"""Means, shares and weights of samples."""
