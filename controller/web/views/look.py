"""How states, verdicts and readiness look: always a tone, a picture and a word, so that none of them stands alone."""

from dataclasses import dataclass

from controller.domain.gates import Readiness
from controller.domain.incident import State
from controller.domain.model import Severity
from controller.domain.policy import Mode


@dataclass(frozen=True, slots=True)
class Look:
    """``tone``: ok, info, warn, bad or quiet (a class of the style sheet). ``icon``: a symbol of ``icons.svg``."""

    tone: str
    icon: str
    word: str


STATES: dict[State, Look] = {
    State.SUSPECT: Look("warn", "eye", "suspect"),
    State.CHECKING: Look("warn", "search", "checking"),
    State.FENCING: Look("bad", "bolt", "fencing"),
    State.VERIFYING: Look("bad", "bolt", "verifying"),
    State.RELEASING: Look("info", "forward", "releasing"),
    State.HELD: Look("bad", "hand", "held"),
    State.FENCED: Look("quiet", "power", "fenced"),
    State.RECOVERED: Look("ok", "check", "recovered"),
    State.NOTIFIED: Look("info", "bell", "notified"),
    State.CANCELLED: Look("quiet", "cross", "cancelled"),
}

READINESS: dict[Readiness, Look] = {
    Readiness.READY: Look("ok", "shield", "ready"),
    Readiness.WARNING: Look("warn", "alert", "ready, with a warning"),
    Readiness.WAITS: Look("info", "clock", "waits"),
    Readiness.BLOCKED: Look("warn", "shield-off", "not ready"),
}

MODES: dict[Mode, Look] = {
    Mode.ENFORCE: Look("ok", "shield", "enforce"),
    Mode.OBSERVE: Look("info", "eye", "observe"),
}

SEVERITIES: dict[Severity, Look] = {
    Severity.INFO: Look("info", "info", "info"),
    Severity.WARNING: Look("warn", "alert", "warning"),
    Severity.CRITICAL: Look("bad", "alert", "critical"),
}

VERDICTS: dict[str, Look] = {
    "alive": Look("ok", "pulse", "alive"),
    "dead": Look("bad", "cross", "dead"),
    "inconclusive": Look("quiet", "question", "inconclusive"),
}
