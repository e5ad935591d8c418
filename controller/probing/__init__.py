"""Asking probe agents: what a host's neighbors and its own agent can tell."""
