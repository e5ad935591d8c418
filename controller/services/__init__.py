"""One intention of an operator or of the system = one short transaction."""
