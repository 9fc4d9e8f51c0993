"""Maps with a one-sided inverse, and maps with an inverse in distribution."""
