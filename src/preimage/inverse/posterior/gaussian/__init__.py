"""The Gaussian posterior of a network without data: a Kalman smoother from its outputs back to its input."""
