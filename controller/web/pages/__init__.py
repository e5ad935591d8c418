"""One module per page: what is read, which template shows it, and what its forms do."""
