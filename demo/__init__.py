"""A demo on one machine, with real processes and real IPMI: `make demo`. Not shipped."""
