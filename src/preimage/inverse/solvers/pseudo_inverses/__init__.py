"""Pseudo-inverses of linear maps, by the cheapest route that the structure allows."""
