"""Figures for monitoring: the port that the engine tells of its work, the table of all figures, Prometheus behind."""
