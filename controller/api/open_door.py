"""The routes under ``/api`` that need no bearer token: an agent's enrolment and renewal, which prove themselves.

Small and few: whoever knocks is not known, so requests are refused by their size and number before they are read.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from controller.api.problems import problem
from shared.enrolment import CHALLENGE_PATH, ENROL_PATH, MAX_REQUEST, RENEW_PATH

PER_MINUTE = 60
"""From one address. Nobody guesses 256 bits; this keeps the database free for those who have work in it, and
lets a whole cluster enrol at once from behind one proxy."""
_OPEN = frozenset({ENROL_PATH, CHALLENGE_PATH, RENEW_PATH})
_MINUTE_S = 60.0
_ADDRESSES = 1000


class OpenDoor:
    """Says which requests need no bearer token, and which of those are refused."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now``: seconds of a clock that is never set."""
        self._now = now
        self._knocks: OrderedDict[str, deque[float]] = OrderedDict()

    def leads_to(self, scope: Scope) -> bool:
        """True for an enrolment and a renewal."""
        return scope["method"] == "POST" and scope["path"] in _OPEN

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to one that may not go on; None for the others."""
        length = Headers(scope=scope).get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 10) or int(length) > MAX_REQUEST:
            return problem(
                413,
                title="Too large",
                detail=f"send at most {MAX_REQUEST} bytes, and their number in Content-Length",
                code="too_large",
            )
        wait_s = self._wait_s(str((scope.get("client") or ("",))[0]))
        if wait_s > 0:
            return problem(
                429,
                title="Too many requests",
                detail=f"at most {PER_MINUTE} a minute; try again in {wait_s:.0f} s",
                code="too_many_requests",
                headers={"Retry-After": f"{wait_s:.0f}"},
            )
        return None

    def _wait_s(self, address: str) -> float:
        """How long this address has to wait; 0 and noted when it may go on."""
        now = self._now()
        knocks = self._knocks.setdefault(address, deque(maxlen=PER_MINUTE))
        self._knocks.move_to_end(address)
        if len(self._knocks) > _ADDRESSES:
            self._knocks.popitem(last=False)
        if len(knocks) == PER_MINUTE and now - knocks[0] < _MINUTE_S:
            return max(1.0, _MINUTE_S - (now - knocks[0]))
        knocks.append(now)
        return 0.0
