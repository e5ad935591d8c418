"""Notification channels as values: one module a kind, the table of kinds, and which notices a channel carries."""
