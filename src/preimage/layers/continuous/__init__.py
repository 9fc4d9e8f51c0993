"""Flows along the solution of a differential equation."""
