"""A management server's bad days: what the next requests get instead of their answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.cloudstack.jobs import Jobs
from tests.fakes.cloudstack.wire import UNVERIFIED, ApiError

HTML = (
    '<!doctype html><html lang="en"><head><title>HTTP Status 503 - Service Unavailable</title></head>'
    "<body><h1>HTTP Status 503 - Service Unavailable</h1></body></html>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ill:
    """One thing that goes wrong. `does`: the command is carried out all the same (its answer is lost)."""

    status: int = 0
    body: Mapping[str, Any] | None = None
    raw: bytes | None = None
    content_type: str = "text/html;charset=utf-8"
    cut: bool = False
    slow_s: float = 0.0
    does: bool = False


@dataclass(slots=True, kw_only=True)
class _Plan:
    ill: Ill
    command: str
    left: int | None


@dataclass(slots=True)
class Trouble:
    """Each method: for the next `times` requests of `command` (empty: of any); `times=None`: until `clear`."""

    jobs: Jobs
    plans: list[_Plan] = field(default_factory=list)

    def unauthorized(self, command: str = "", times: int | None = 1) -> None:
        """A 401 for a request that was right."""
        self.error(401, UNVERIFIED, command, times)

    def limited(self, command: str = "", times: int | None = 1) -> None:
        """The API limit is reached."""
        self.error(
            429, "The given user has reached his/her account api limit, please retry after 1 seconds.", command, times
        )

    def error(self, status: int, text: str, command: str = "", times: int | None = 1) -> None:
        """CloudStack's own form of an error."""
        self._add(Ill(status=status, body=ApiError(status, text).body("errorresponse")), command, times)

    def html(self, status: int = 503, command: str = "", times: int | None = 1) -> None:
        """A page of Tomcat or of a proxy before it; with status 200 too."""
        self._add(Ill(status=status, raw=HTML.encode()), command, times)

    def garbage(
        self, raw: bytes = b'{"listhostsresponse":{"count":1,"ho', command: str = "", times: int | None = 1
    ) -> None:
        """A JSON body that isn't."""
        self._add(Ill(status=200, raw=raw, content_type="application/json; charset=UTF-8"), command, times)

    def slow(self, seconds: float, command: str = "", times: int | None = 1) -> None:
        """The right answer, later."""
        self._add(Ill(slow_s=seconds, does=True), command, times)

    def cut(self, command: str = "", times: int | None = 1, *, does: bool = False) -> None:
        """The connection ends without an answer; with `does` the command was carried out."""
        self._add(Ill(cut=True, does=does), command, times)

    def lost_job(self, command: str) -> None:
        """The next job of `command` is done, but its id is unknown to whoever asks."""
        self.jobs.forget(command)

    def stuck_job(self, command: str) -> None:
        """The next job of `command` is done, but says pending for ever."""
        self.jobs.stick(command)

    def failed_job(self, command: str, text: str = "Resource [Host] is unreachable") -> None:
        """The next job of `command` fails and has done nothing."""
        self.jobs.fail(command, text)

    def broken_job(self, command: str, text: str = "Operation timed out") -> None:
        """The next job of `command` fails half-way: what it began stays begun (a machine stays Stopping)."""
        self.jobs.break_off(command, text)

    def clear(self) -> None:
        self.plans.clear()

    def take(self, command: str) -> Ill | None:
        """What this request gets; None: its answer."""
        plan = next((one for one in self.plans if one.command in {"", command} and one.left != 0), None)
        if plan is None:
            return None
        if plan.left is not None:
            plan.left -= 1
        return plan.ill

    def _add(self, ill: Ill, command: str, times: int | None) -> None:
        self.plans.append(_Plan(ill=ill, command=command, left=times))
