"""One module per kind of power device; they do not know each other."""
