"""Linear bijections over features, and one-sided linear maps."""
