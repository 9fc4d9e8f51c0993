"""Reordering, splitting and joining of events."""
