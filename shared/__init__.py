"""What controller and probe agent must agree on: wire models, a few words, nothing else."""
