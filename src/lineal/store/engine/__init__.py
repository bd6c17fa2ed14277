"""Databases: each engine gives transactions and turns its library's exceptions into ours."""
