"""What the tests of the commands share."""

QUICK = ("--epochs", "2", "--quiet", "--set", "transforms=1", "--set", "hidden_features=8", "--samples", "50")
"""Options of a training that takes a moment."""
