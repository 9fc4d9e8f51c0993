"""Splines: maps of single numbers in bins, with identical arithmetic for elements, couplings and networks."""
