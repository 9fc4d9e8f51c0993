"""Samples whose graphs take compilers long: siblings of theirs stand for them in the quick run."""

LAWS = ("compile", "export")
SAMPLES = {
    "convex potential, pictures, context",
    "deep sigmoids, context",
    "neural ode, potential",
    "neural ode, signals, context",
    "proximal residual, signals, two blocks, context",
    "residual, any network",
    "residual, context, induced norms",
    "residual, dense network",
    "residual, pictures, dense network, context",
    "residual, signals, fixed points",
    "sylvester, householder",
    "sylvester, triangular, context",
}


def large(sample, law):
    """Whether a law is left to the slow run for this sample."""
    return sample.name in SAMPLES and law.name in LAWS
