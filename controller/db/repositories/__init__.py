"""SQL by subject, as parts of one transaction."""
