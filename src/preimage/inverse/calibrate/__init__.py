"""Calibrated inverses: closed-form decoders from a few pictures, with their error covariance."""

from preimage.inverse.calibrate.decoder import Decoder
from preimage.inverse.calibrate.fit import DecoderFit
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.calibrate.refine import refine
from preimage.inverse.solvers.nonlinear.metric import Identity, Metric

__all__ = ["Decoder", "DecoderFit", "Identity", "Metric", "Spectrum", "refine"]
