"""The OpenLineage door: events in, and what users of Marquez ask, out."""
