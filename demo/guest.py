"""What runs on a demo host: a "virtual machine" on its disk file, or the host's "kernel". A script: nothing imports it.

``guest.py vm busy|idle DISK`` opens the disk and holds a lock on it, so that a second copy of the machine anywhere is
an error one sees. A busy one writes and syncs twice a second; an idle one writes nothing at all, as real ones do.
``guest.py kernel`` does nothing for as long as its host has power.
"""

import fcntl
import os
import signal
import sys
import time

WRITE_EVERY_S = 0.5
BLOCK = 4096
BLOCKS = 64


def main() -> None:
    """Run until killed."""
    if sys.argv[1] == "kernel":
        signal.pause()
        return
    _, _, habit, disk = sys.argv
    file = os.open(disk, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"{disk} is in use: this machine already runs somewhere, and a second copy would destroy its disk")
    print(f"{habit} on {disk}", flush=True)
    while habit == "idle":
        signal.pause()
    for count in range(1 << 60):
        os.pwrite(file, f"{count}\n".encode().ljust(BLOCK, b"."), count % BLOCKS * BLOCK)
        os.fsync(file)
        time.sleep(WRITE_EVERY_S)


if __name__ == "__main__":
    main()
