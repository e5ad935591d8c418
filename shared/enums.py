"""The words both programs use. The only part of ``shared`` that the pure core may import."""

from enum import StrEnum

PROTOCOL_VERSION = 1
"""Version of the wire protocol between controller and agent; another version is answered *unknown*."""


class ReadingStatus(StrEnum):
    """Whether one look at one thing told anything. Unknown is its own value, never silence."""

    OK = "ok"
    UNKNOWN = "unknown"


class ReadingCode(StrEnum):
    """Why a look told nothing (``status == unknown``). Coded so that nobody has to parse texts."""

    MISSING = "missing"
    NOT_PERMITTED = "not_permitted"
    STALE_HANDLE = "stale_handle"
    IO_ERROR = "io_error"
    TIMED_OUT = "timed_out"
    MOUNT_STUCK = "mount_stuck"
    NOT_MOUNTED = "not_mounted"
    MOUNT_REFUSED = "mount_refused"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    OUTSIDE_ROOTS = "outside_roots"
    BAD_PATH = "bad_path"
    MALFORMED = "malformed"
    FOREIGN = "foreign"
    OTHER = "other"


class ReadingMethod(StrEnum):
    """How a target was read. ``open_fstat`` is the fallback where glibc has no ``statx``."""

    STATX_FORCE_SYNC = "statx_force_sync"
    OPEN_FSTAT = "open_fstat"
    RBD_COMMAND = "rbd_command"
    PLUG_IN = "plug_in"
    """Another storage probe; ``detail`` may say how."""


class Reach(StrEnum):
    """What an address answered. Only ``no_answer`` is silence; a mere TCP reply is a living kernel."""

    AGENT_ANSWERED = "agent_answered"
    KERNEL_ANSWERS = "kernel_answers"
    NO_ANSWER = "no_answer"
    UNKNOWN = "unknown"
