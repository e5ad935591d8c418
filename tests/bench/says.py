"""What every benchmark prints."""

import os
import sys


def load() -> str:
    """Other work on the machine makes everything late and dear: no figure means much without it."""
    minute, five, _ = os.getloadavg()
    return f"load average {minute:.1f} (five minutes: {five:.1f}) on {os.cpu_count()} processors"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
