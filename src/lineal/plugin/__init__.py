"""What other programs load of Lineal by its entry points."""
