"""Matrices of given kinds, and what can be said of any: determinants, conditions, bounds."""
