"""What can go wrong in a call to CloudStack, as one error with a kind, told without secrets."""

import re
from collections.abc import Iterable
from enum import StrEnum
from urllib.parse import quote

from controller.cloud.cloudstack.signing import encoded

SAID_LIMIT = 300
"""Letters of what was said that are kept."""

_HIDDEN = "***"


class ErrorKind(StrEnum):
    """What a failed call means."""

    UNREACHABLE = "unreachable"
    """No answer: no connection, cut off, or not within the deadline."""
    AUTH = "auth"
    """Key, secret or expiry were not taken, or the user is disabled."""
    LIMITED = "limited"
    """Too many requests."""
    REJECTED = "rejected"
    """CloudStack understood and said no; also for a command that it does not have or the key may not call."""
    MALFORMED = "malformed"
    """Something answered, but not as CloudStack does."""
    JOB_FAILED = "job_failed"
    """An asynchronous job ended in failure; raised by whoever waits for it."""


class CloudStackError(Exception):
    """Why a call gave nothing.

    Attributes:
        kind: what it means.
        status: the HTTP status, if there was one.
        code: CloudStack's ``errorcode``; None where CloudStack itself said nothing.
        detail_code: its ``cserrorcode``.
        command: what was called.
        said: as CloudStack or the network said it: bounded, one line, no secrets.
        sent: False if nothing of the call can have reached CloudStack. Where it is True and no refusal was heard, a
            state-changing call may have been done.
        wait_s: how long CloudStack asked to wait, if it did.
    """

    def __init__(
        self,
        kind: ErrorKind,
        command: str,
        said: str,
        *,
        status: int | None = None,
        code: int | None = None,
        detail_code: int | None = None,
        sent: bool = True,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(f"{command}: {said}" if command else said)
        self.kind, self.command, self.said = kind, command, said
        self.status, self.code, self.detail_code = status, code, detail_code
        self.sent, self.wait_s = sent, wait_s

    @property
    def unavailable(self) -> bool:
        """CloudStack does not have the command, or the key may not call it: it says the same of both."""
        return self.kind is ErrorKind.REJECTED and (self.code == 432 or is_about_the_command(self.said))

    @property
    def unknown_id(self) -> bool:
        """CloudStack has nothing of the id that was asked for (any more)."""
        about_a_value = self.kind is ErrorKind.REJECTED and NO_SUCH_ENTITY in (self.status, self.code)
        return about_a_value and "does not exist" in self.said


NO_SUCH_ENTITY = 431
"""CloudStack's code for a parameter it cannot use; an id that it does not know (any more) is one."""

_UNAVAILABLE = re.compile(
    r"(given command|the api)\b.{0,200}(does not exist|doesn't exist|not available)|unknown (api )?command",
    re.IGNORECASE,
)


def is_about_the_command(said: str) -> bool:
    """True for a 401 that is about the command instead of the key."""
    return _UNAVAILABLE.search(said) is not None


class Redactor:
    """Takes a key's secrets out of texts, in plain, encoded and lower-case form. Shows none of them itself."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for one in secrets if one for form in (one, encoded(one), quote(one, safe=""), quote(one))}
        # The longest first: one secret may be part of another.
        found = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._secrets = re.compile(found or r"(?!)", re.IGNORECASE)

    def tell(self, text: str) -> str:
        """``text`` fit for people: without secrets, on one line, bounded."""
        shown = _SIGNATURE.sub(rf"\1{_HIDDEN}", self._secrets.sub(_HIDDEN, text))
        plain = " ".join("".join(letter if letter.isprintable() else " " for letter in shown).split())
        return plain if len(plain) <= SAID_LIMIT else plain[: SAID_LIMIT - 1] + "…"


_SIGNATURE = re.compile(r"(signature[=:]\s?)[A-Za-z0-9+/%]{20,}=*", re.IGNORECASE)
"""A signature is made for each request, so it is known by its name and form."""
