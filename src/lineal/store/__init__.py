"""The record on disk: SQL on SQLite or PostgreSQL, and bytes by their digest. One file per noun, each method inside the caller's transaction."""
