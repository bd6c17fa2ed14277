"""What a program can say and ask by itself. `import lineal` offers it; each part is loaded when it is first used."""
