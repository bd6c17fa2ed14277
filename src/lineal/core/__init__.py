"""Values and rules: pure, without clock, randomness, files, network or database."""
