"""Networks of straight pieces as linear equations, of which some pairs must not both be above 0."""
