"""Which boot of this machine it is: the kernel's own boot id."""

from pathlib import Path

_KERNEL = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id(lab_file: Path | None = None) -> str:
    """The boot id; in a lab where several "hosts" share one kernel, the text of a file instead.

    Raises:
        OSError: it cannot be read.
    """
    return (lab_file or _KERNEL).read_text(encoding="ascii").strip()
