"""One module a kind of channel; only bootstrap names them."""
