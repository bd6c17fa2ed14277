"""What a user can do: one function per verb, declared once in the operation table."""
