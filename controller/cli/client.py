"""Speaks with the controller's REST interface; every way in which that fails becomes one clear :class:`CliError`."""

import difflib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

from controller.cli.connection import Connection
from controller.cli.errors import CliError, Exit

_TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds. A power device may take a quarter of a minute, and a cluster whose agents are asked some seconds more."""
_LISTS = {"unknown_host": "/hosts", "unknown_cluster": "/clusters"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the controller said: ``text`` as it was sent, ``data`` as values."""

    text: str
    data: Any


class Api:
    """One controller. ``now`` is its clock, not this machine's: ages would be wrong by the difference."""

    def __init__(self, connection: Connection, *, patience_s: float | None = None) -> None:
        self.url = connection.url
        self._now: datetime | None = None
        self._client = httpx.Client(
            base_url=f"{connection.url}/api/v1",
            headers={"Authorization": f"Bearer {connection.token}", "Accept": "application/json"},
            verify=_trust(connection.ca_file),
            timeout=_TIMEOUT if patience_s is None else patience_s,
            trust_env=False,  # a proxy of the environment is not to see the token
        )

    @property
    def now(self) -> datetime:
        """The controller's time at its last answer."""
        return self._now or datetime.now(UTC)  # noqa: TID251 - before the first answer there is nothing better

    def get(self, path: str, **params: str | int | bool | None) -> Answer:
        """Read something."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.send("GET", path, params=given)

    def peek(self, path: str) -> Any:
        """What lies beside the interface, like ``/healthz``: its JSON whatever its status, None where there is none."""
        try:
            response = self._client.get(f"{self.url}{path}")
        except httpx.HTTPError as error:
            raise self._unreachable(error, "GET") from error
        self._keep_time(response)
        try:
            return response.json()
        except ValueError:
            return None

    def send(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Answer:
        """Do something, once. Nothing is tried again: a power command is not to be sent twice."""
        try:
            response = self._client.request(method, path, json=body, params=params)
        except httpx.HTTPError as error:
            raise self._unreachable(error, method) from error
        self._keep_time(response)
        if response.is_success:
            return self._answer(response)
        raise self._refusal(response)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _keep_time(self, response: httpx.Response) -> None:
        try:
            self._now = parsedate_to_datetime(response.headers.get("date", "")).astimezone(UTC)
        except ValueError:
            self._now = None

    def _answer(self, response: httpx.Response) -> Answer:
        if response.status_code == httpx.codes.NO_CONTENT:
            return Answer("", None)
        try:
            return Answer(response.text, response.json())
        except ValueError as error:
            raise self.nobody() from error

    def nobody(self) -> CliError:
        """Something answers there, but no controller."""
        return CliError(
            f"what answers at {self.url} is no hostfence controller",
            code=Exit.UNREACHABLE,
            hints=("check HOSTFENCE_URL: the address without /api/v1",),
        )

    def _unreachable(self, error: httpx.HTTPError, method: str) -> CliError:
        said = str(error) or type(error).__name__
        hints = ["check HOSTFENCE_URL, and that hostfence-controller runs"]
        if "CERTIFICATE_VERIFY" in said:
            hints = ["its certificate is not known here: give its authority with --ca-file or HOSTFENCE_CA_FILE"]
        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        if isinstance(error, httpx.ReadTimeout):
            said = "no answer in time"
        if method != "GET" and not never_sent:
            hints = ["nobody knows whether it was done: look with hostfence status and hostfence audit"]
        return CliError(
            f"the controller at {self.url} cannot be reached: {said}", code=Exit.UNREACHABLE, hints=tuple(hints)
        )

    def _refusal(self, response: httpx.Response) -> CliError:
        try:
            told = response.json()
        except ValueError:
            return self.nobody()
        if not isinstance(told, dict) or "detail" not in told or "code" not in told:
            return self.nobody()
        match response.status_code:
            case 401:
                return CliError(
                    f"the controller at {self.url} does not accept the token",
                    code=Exit.NOT_ALLOWED,
                    hints=("it was revoked, or is another controller's: hostfence login, or set HOSTFENCE_TOKEN",),
                )
            case 403:
                return CliError(told["detail"], code=Exit.NOT_ALLOWED)
            case 404:
                near = self._near(str(told["code"]), str(response.request.url))
                return CliError(told["detail"], code=Exit.NOT_FOUND, hints=near)
            case _:
                return CliError(f"{told['title']}: {told['detail']}", code=Exit.FAILED, hints=self._why(told))

    def _near(self, code: str, url: str) -> tuple[str, ...]:
        """Names like the one that was not found, from the controller's own list."""
        if code not in _LISTS:
            return ()
        try:
            names = [one["name"] for one in self.get(_LISTS[code]).data]
        except CliError:
            return ()
        parts = httpx.URL(url).path.split("/") + [value for _, value in httpx.URL(url).params.multi_items()]
        close = {near for part in parts if part for near in difflib.get_close_matches(part, names, n=3, cutoff=0.6)}
        return (f"did you mean {' or '.join(sorted(close))}?",) if close else ()

    def _why(self, told: Mapping[str, Any]) -> tuple[str, ...]:
        """Every refusal in words, and every value at fault that the one line did not name."""
        hints = [f"{one['field']}: {one['detail']}" for one in told.get("errors") or ()][1:]
        if reasons := told.get("reasons"):
            words = self.words()
            for reason in reasons:
                means, remedy = words.get(reason, (reason, ""))
                hints.append(f"{reason}: {means} {remedy}".rstrip())
        return tuple(hints)

    def words(self) -> dict[str, tuple[str, str]]:
        """What each code means, and what to do. Empty where the controller does not tell."""
        try:
            return {one["code"]: (one["means"], one["do"]) for one in self.get("/reasons").data}
        except CliError:
            return {}


def ref(name: str) -> str:
    """A name as one part of a path."""
    if name in ("", ".", ".."):
        raise CliError(f"{name!r} is no name", code=Exit.USAGE)
    return quote(name, safe="")


def _trust(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise CliError(
            f"{ca_file} holds no certificates that can be read ({error})",
            code=Exit.USAGE,
            hints=("HOSTFENCE_CA_FILE names a file in PEM",),
        ) from error
