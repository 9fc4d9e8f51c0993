"""Maps of each number by itself, and what they share."""
