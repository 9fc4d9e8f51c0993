"""One part of the event transforms the other."""
