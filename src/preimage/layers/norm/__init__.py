"""Normalisations with running or learned statistics."""
