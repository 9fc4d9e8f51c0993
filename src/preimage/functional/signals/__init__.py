"""Convolutions and transforms along positions."""
