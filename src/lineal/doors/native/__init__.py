"""The native HTTP API, generated from the operation table."""
