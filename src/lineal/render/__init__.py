"""Rendering: from replies to text that people read. Pure: no clock, no terminal, no store; all of it comes in as a Page."""
