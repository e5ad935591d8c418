"""What the programs of the ``exec`` driver say when they fail, in hostfence's words; and their words without secrets.

Texts are those of ipmitool 1.8.19 with ``-v`` and of fence agents 4.12; the first that fits counts. A program nobody
here knows says nothing but its exit code: a failed command of such a one is *unknown*.
"""

import base64
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from controller.domain.exec_presets import ExecCommand, Preset
from controller.domain.power import Accepted, PowerCode
from controller.power.drivers.exec_run import Ending

SAID_LIMIT = 300

_IPMITOOL: tuple[tuple[str, PowerCode], ...] = (
    ("rakp 2 hmac is invalid", PowerCode.BAD_CREDENTIALS),
    ("unauthorized name", PowerCode.BAD_CREDENTIALS),
    ("unauthorized role", PowerCode.BAD_CREDENTIALS),
    ("invalid role", PowerCode.BAD_CREDENTIALS),
    ("set session privilege level to", PowerCode.BAD_CREDENTIALS),
    ("insufficient resources for session", PowerCode.SESSIONS_EXHAUSTED),
    ("invalid authentication algorithm", PowerCode.UNSUPPORTED),
    ("invalid integrity algorithm", PowerCode.UNSUPPORTED),
    ("no matching authentication", PowerCode.UNSUPPORTED),
    ("no matching integrity", PowerCode.UNSUPPORTED),
    ("invalid confidentiality algorithm", PowerCode.UNSUPPORTED),
    ("no cipher suite match", PowerCode.UNSUPPORTED),
    ("node busy", PowerCode.BUSY),
    ("bmc initialization in progress", PowerCode.BUSY),
    ("invalid command", PowerCode.UNSUPPORTED),
    ("unable to establish", PowerCode.NO_ANSWER),
    ("could not open socket", PowerCode.NO_ANSWER),
    ("address lookup for", PowerCode.NO_ANSWER),
    ("unable to get chassis power status", PowerCode.TIMED_OUT),
    ("unable to set chassis", PowerCode.TIMED_OUT),
    ("failed:", PowerCode.REFUSED),
)
_AGENT: tuple[tuple[str, PowerCode], ...] = (
    *_IPMITOOL[:-1],  # fence_ipmilan shows what its ipmitool said
    ("does not have the correct privileges", PowerCode.REFUSED),
    ("timed out waiting to power", PowerCode.TIMED_OUT),
    ("connection timed out", PowerCode.NO_ANSWER),
    ("connection lost", PowerCode.NO_ANSWER),
    ("unable to connect/login", PowerCode.NO_ANSWER),
    ("unable to obtain correct plug status", PowerCode.NO_ANSWER),
)
_NEVER_LOGGED_IN = ("unable to establish", "could not open socket", "address lookup for")
_SAID_NO = re.compile(r"^(?:set )?chassis (?:power control|identify) (?:to .* )?failed: (.*)$", re.MULTILINE)
# After these completion codes (0xC3, 0xCE, 0xCF, 0xFF) the command may have been carried out all the same.
_UNCLEAR = ("timeout", "response cannot be provided", "cannot execute duplicated request", "unspecified error")
# What ipmitool -v prints on the way, about features nobody asked for, and Python about fence_ipmilan.
_NOISE = re.compile(
    r"^(?:Loading IANA PEN|Running Get |Invalid completion code received|Discovered |Get HPM\.x |Get Auth Capabilities"
    r"|Error issuing Get Channel|.*DeprecationWarning|\s+from pipes import).*$\n?",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What can be said of a run that did not end with exit code 0."""

    code: PowerCode
    accepted: Accepted = Accepted.UNKNOWN


_SCRIPT: Mapping[int, Failure] = {
    3: Failure(code=PowerCode.REFUSED, accepted=Accepted.NO),
    4: Failure(code=PowerCode.BUSY, accepted=Accepted.NO),
    5: Failure(code=PowerCode.BAD_CREDENTIALS, accepted=Accepted.NOT_SENT),
    6: Failure(code=PowerCode.NO_ANSWER, accepted=Accepted.NOT_SENT),
}
"""The script preset's exit codes, a promise of the script's (docs/power/script.md): for 5 and 6, that nothing was sent.
2 is *off*, and anything else is unknown."""


def failure(command: ExecCommand, ending: Ending) -> Failure:
    """What a run that ended by itself, not with 0, tells about a command."""
    text = _NOISE.sub("", f"{ending.err}\n{ending.out}").lower()
    if command.preset is Preset.SCRIPT:
        return _SCRIPT.get(ending.exit_code, Failure(code=PowerCode.DRIVER_FAILED))
    if command.preset is Preset.FENCE_AGENT:
        return Failure(code=_first(_AGENT, text))
    if command.preset is Preset.IPMITOOL or command.program_name == "ipmitool":
        return Failure(code=_first(_IPMITOOL, text), accepted=_ipmitool_accepted(text))
    return Failure(code=PowerCode.DRIVER_FAILED)


def said(ending: Ending, *, password: str) -> str:
    """The end of what a program printed, on one line, without the password in any form it may have taken."""
    text = _NOISE.sub("", f"{ending.err}\n{ending.out}")
    text = re.sub(r"\s+", " ", redact(text, password)).strip()
    shown = "".join(letter for letter in text if letter.isprintable())
    return shown if len(shown) <= SAID_LIMIT else "…" + shown[1 - SAID_LIMIT :]


def redact(text: str, password: str) -> str:
    """``text`` with ``***`` for the password, also where it was quoted or encoded on the way."""
    if not password:
        return text
    forms = {
        password,
        *(quote(password), quote(password, safe=""), quote_plus(password)),
        *(json.dumps(password)[1:-1], repr(password)[1:-1], shlex.quote(password)),
        base64.b64encode(password.encode()).decode(),
    }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _first(table: tuple[tuple[str, PowerCode], ...], text: str) -> PowerCode:
    return next((code for words, code in table if words in text), PowerCode.DRIVER_FAILED)


def _ipmitool_accepted(text: str) -> Accepted:
    if any(words in text for words in _NEVER_LOGGED_IN):
        return Accepted.NOT_SENT
    if refused := _SAID_NO.search(text):
        return Accepted.UNKNOWN if refused.group(1).startswith(_UNCLEAR) else Accepted.NO
    return Accepted.UNKNOWN
