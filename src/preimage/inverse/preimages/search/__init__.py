"""Ways to f(x) = y, and along the set of its solutions."""
