"""Readers of other systems' files, databases and servers: one file for each, and what they all give back in `items`."""
