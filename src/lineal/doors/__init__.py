"""Doors: each speaks one protocol and translates it into operations of the service. They hold no rules and never import each other."""
