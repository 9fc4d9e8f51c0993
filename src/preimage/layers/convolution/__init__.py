"""Convolutions with exact inverses and log-determinants."""
