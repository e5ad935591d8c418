"""One module per open state. A step looks with no transaction open, then changes the incident in a short one."""
