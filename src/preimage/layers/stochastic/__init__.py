"""Random steps with path weights, for stochastic flows."""
