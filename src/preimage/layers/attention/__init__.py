"""Transformers inside of bijections, and attention that is one itself."""
