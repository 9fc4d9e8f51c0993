"""Nonlinear systems f(x) = y: steps, their limits, and the metric they are measured in."""
