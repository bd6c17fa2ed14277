"""Benchmarks with stated limits, each beside its peer in the same run."""
