"""Monotone maps of single numbers in closed form, with a guaranteed numerical inverse."""
