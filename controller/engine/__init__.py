"""What happens by itself: the loops, and one step module per open state."""
