"""Circles, tori and spheres: maps whose log_det is that of the surface."""
