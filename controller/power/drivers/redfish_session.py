"""One short-lived conversation with one Redfish service: logs in, reads with patience, sends one command, logs out.

Knows HTTP and Redfish's manners of it; what is read and sent stands in :mod:`controller.power.drivers.redfish_system`.
"""

import base64
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx

from controller.domain.power import Accepted, BmcTarget, PowerCode
from controller.power.drivers.redfish_answers import Answer, RedfishFault, answer_of, tell

ROOT = "/redfish/v1/"
_PAUSES_S = (0.25, 0.5, 1.0, 2.0)
"""Between tries of a read that met a passing trouble; the deadline of the operation cuts them short."""

_REDIRECTS = 3
_SESSION_LIMIT = "SessionLimitExceeded"


class RedfishSession:
    """Speaks to ``target``; :meth:`aclose` ends the session on the device and the connection, whatever happened."""

    def __init__(
        self,
        target: BmcTarget,
        context: ssl.SSLContext | None,
        *,
        sleep: Callable[[float], Awaitable[None]],
        boottime: Callable[[], float],
    ) -> None:
        """``context`` None: plain HTTP. ``boottime``: the clock that ``not_after`` is compared with.

        Raises:
            RedfishFault: ``not_configured``, for an address that no request can carry.
        """
        self._target = target
        self._sleep = sleep
        self._boottime = boottime
        self._secrets = [target.password]
        self._credentials: dict[str, str] = {}
        self._session_path = ""
        self._streams: list[Any] = []
        host = f"[{target.address}]" if ":" in target.address else target.address
        self._admitted = False
        try:
            self._client = httpx.AsyncClient(
                base_url=f"{'https' if context else 'http'}://{host}:{target.port}",
                verify=context or False,
                timeout=None,  # noqa: S113 - the whole operation has one deadline
                trust_env=False,
                follow_redirects=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "OData-Version": "4.0"},
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise RedfishFault(PowerCode.NOT_CONFIGURED, "ipmi.host is no address that can be used") from error
        self.root: Mapping[str, Any] = {}
        self.heard = False
        """Whether the device ever answered."""
        self.fate = Accepted.NOT_SENT
        """What became of the command: ``unknown`` from the moment its body is written until it is answered."""
        self.trouble: RedfishFault | None = None
        """The passing trouble that is being waited out."""

    async def open(self) -> None:
        """Log in; by the password in every request where the service has no sessions. A bad password is tried once."""
        self.root = (await self.read(ROOT)).body
        path = self._sessions_path()
        if not path:
            self._speak_basic()
            return
        words = {"UserName": self._target.username, "Password": self._target.password}
        answer = await self._patiently(lambda: self._login(path, words))
        if answer.status in (404, 405, 501):  # announced and not there
            self._speak_basic()
        elif not answer.good:
            raise self.refusal(answer)
        elif not self._credentials:
            raise RedfishFault(PowerCode.MALFORMED, "the service opened a session without a token")

    async def read(self, path: str) -> Answer:
        """Read one resource; again with growing pauses where the trouble may pass.

        Raises:
            RedfishFault: refused, unreachable, not JSON.
        """
        return await self._patiently(lambda: self._get(path))

    async def command(
        self, method: str, path: str, body: Mapping[str, Any], *, not_after: float, etag: str = ""
    ) -> Answer:
        """Send one change, once. Nothing is sent once ``not_after`` has passed; any status is an answer.

        The clock is read where the body's bytes go to the socket: without them the device has no whole request.

        Raises:
            RedfishFault: ``stalled``, or no answer came; then :attr:`fate` says whether it can have been taken.
        """

        def last_moment(event: str) -> None:
            if event not in ("http11.send_request_headers.started", "http11.send_request_body.started"):
                return
            if self._boottime() > not_after:
                raise RedfishFault(PowerCode.STALLED, "too late: nothing was sent")
            if event == "http11.send_request_body.started":
                self.fate = Accepted.UNKNOWN

        headers = {"If-Match": etag} if etag else {}
        return await self._exchange(method, path, body=body, headers=headers, watch=last_moment)

    async def aclose(self) -> None:
        """Log out, so that the device's few sessions do not run out, and close the connection."""
        try:
            if self._session_path:
                path, self._session_path = self._session_path, ""
                await self._exchange("DELETE", path)
        except RedfishFault:
            pass  # it ends by itself after the device's own time-out
        finally:
            await self._client.aclose()
            for stream in self._streams:  # httpcore forgets a connection whose TLS handshake was cut short
                await stream.aclose()

    def refusal(self, answer: Answer) -> RedfishFault:
        """The fault that a status other than 2xx stands for."""
        said = self.tell(answer.words())
        if _SESSION_LIMIT in answer.message_ids:
            return RedfishFault(PowerCode.SESSIONS_EXHAUSTED, said)
        if answer.status in (401, 403):
            return RedfishFault(PowerCode.BAD_CREDENTIALS, said)
        if answer.status in (429, 503):
            return RedfishFault(PowerCode.BUSY, said, passing=True)
        return RedfishFault(PowerCode.REFUSED, said, passing=answer.status >= 500)

    def tell(self, text: str) -> str:
        """``text`` without this session's secrets."""
        return tell(text, self._secrets)

    def _sessions_path(self) -> str:
        if path := link(self.root.get("Links"), "Sessions"):
            return path
        return f"{ROOT}SessionService/Sessions" if "SessionService" in self.root else ""

    def _speak_basic(self) -> None:
        pair = f"{self._target.username}:{self._target.password}".encode()
        token = base64.b64encode(pair).decode()
        self._secrets.append(token)
        self._credentials = {"Authorization": f"Basic {token}"}
        self._admitted = False  # the root is read without a password

    async def _login(self, path: str, words: Mapping[str, str]) -> Answer:
        try:
            answer = await self._exchange("POST", path, body=words)
        except RedfishFault as fault:
            fault.passing = False  # a service may cut off whoever gives a wrong password: a try towards a lock-out
            raise
        if answer.status == 503 and _SESSION_LIMIT not in answer.message_ids:
            raise self.refusal(answer)  # any other failure may count as a failed login: not tried again
        token = answer.headers.get("X-Auth-Token", "")
        if answer.good and token:
            self._secrets.append(token)
            self._credentials = {"X-Auth-Token": token}
            self._admitted = True
            # Some services name the session in the body only.
            self._session_path = answer.headers.get("Location", "") or str(answer.body.get("@odata.id", ""))
        return answer

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        for pause in _PAUSES_S:
            try:
                return await ask()
            except RedfishFault as fault:
                if not fault.passing:
                    raise
                self.trouble = fault
            await self._sleep(pause)
            self.trouble = None
        return await ask()

    async def _get(self, path: str) -> Answer:
        for _ in range(1 + _REDIRECTS):
            answer = await self._exchange("GET", path)
            if answer.status in (301, 302, 307, 308):
                path = self._same_service(answer.headers.get("Location", ""))
                continue
            if not answer.good:
                raise self.refusal(answer)
            self._admitted = True
            if not answer.readable:
                raise RedfishFault(PowerCode.MALFORMED, self.tell(f"{path} is no JSON object"))
            return answer
        raise RedfishFault(PowerCode.MALFORMED, "the service redirects without end")

    def _same_service(self, location: str) -> str:
        """The path of a redirect within this service; the password goes nowhere else."""
        here = self._client.base_url
        url: httpx.URL | None = None
        with contextlib.suppress(httpx.InvalidURL, ValueError):
            url = here.join(location)
        if url is None or (url.scheme, url.host, url.port) != (here.scheme, here.host, here.port):
            said = self.tell(f"redirects to {location}, which is not this service: not followed")
            raise RedfishFault(PowerCode.MALFORMED, said)
        return url.raw_path.decode()

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        watch: Callable[[str], None] | None = None,
    ) -> Answer:
        async def trace(event: str, info: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                self._streams.append(info["return_value"])
            if watch:
                watch(event)

        content = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            request = self._client.build_request(
                method,
                self._here(path),
                content=content,
                headers={**self._credentials, **kind, **(headers or {})},
                extensions={"trace": trace},
            )
            response = await self._client.send(request, stream=True)
            try:
                self.heard = True
                if watch:
                    self.fate = _fate(response.status_code)
                return await answer_of(response)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise self._fault_of(error) from error
        except (httpx.InvalidURL, OSError, ValueError) as error:
            said = self.tell(f"could not be asked: {error}")
            raise RedfishFault(PowerCode.DRIVER_FAILED, said) from error

    def _here(self, path: str) -> httpx.URL:
        """``path`` on this service. Of a whole address only the path is taken: nothing is ever sent elsewhere."""
        here = self._client.base_url
        return here.copy_with(raw_path=here.join(path).raw_path)

    def _fault_of(self, error: httpx.HTTPError) -> RedfishFault:
        tls = next((one for one in _causes(error) if isinstance(one, ssl.SSLError)), None)
        if tls is not None:
            return RedfishFault(PowerCode.DRIVER_FAILED, self.tell(_tls_words(tls)))
        said = self.tell(f"{type(error).__name__}: {error}")
        if isinstance(error, httpx.ConnectError):
            refused = any(isinstance(one, ConnectionRefusedError) for one in _causes(error))
            return RedfishFault(PowerCode.NOT_LISTENING if refused else PowerCode.NO_ANSWER, said)
        if isinstance(error, httpx.DecodingError):
            return RedfishFault(PowerCode.MALFORMED, said)
        # Cut off: small web servers close connections that were to be kept. Not asked again with a password that was
        # never taken: that may be how this service answers a wrong one.
        passing = self.heard and (self._admitted or not self._credentials)
        return RedfishFault(PowerCode.TIMED_OUT if self.heard else PowerCode.NO_ANSWER, said, passing=passing)


def link(holder: Any, name: str) -> str:
    """The path in ``{name: {"@odata.id": path}}``, or an empty string."""
    inner = holder.get(name) if isinstance(holder, Mapping) else None
    path = inner.get("@odata.id") if isinstance(inner, Mapping) else None
    return path if isinstance(path, str) else ""


def _fate(status: int) -> Accepted:
    if 200 <= status < 300:
        return Accepted.YES
    # 307, 308 and 501 say that nothing was done; other redirects can follow a deed, and after 5xx nobody knows.
    return Accepted.NO if 400 <= status < 500 or status in (307, 308, 501) else Accepted.UNKNOWN


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what led to it, the newest first."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _tls_words(error: ssl.SSLError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"no TLS connection: {error.reason or error}"
    why = error.verify_message
    if "match" in why:
        return f"certificate verify failed: {why}; write the name that stands in the certificate as ipmi.host"
    return f"certificate verify failed: {why}; write the certificate of the device's authority as ipmi.tls_ca"
