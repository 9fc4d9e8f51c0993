"""Coordinates and motions on spheres."""
