"""What goes over the wire. Bodies refuse unknown fields; answers hold no secret."""
