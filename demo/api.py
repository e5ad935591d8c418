"""The demo's view of hostfence: its public REST interface, with the first admin token, and nothing else."""

import time
from datetime import datetime
from typing import Any

import httpx

from demo.processes import DemoError


class Api:
    """One client. Every method raises :class:`DemoError` for an answer that is no success."""

    def __init__(self, base: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=f"{base}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, **query: str | int | bool) -> Any:
        """Read."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: Any) -> Any:
        """Add."""
        return self._call("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        """Set."""
        return self._call("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Change."""
        return self._call("PATCH", path, json=body)

    def incidents(self, host: str) -> list[dict[str, Any]]:
        """All incidents of a host, newest first."""
        found: list[dict[str, Any]] = self.get("/incidents", host=host)["items"]
        return found

    def _call(self, method: str, path: str, **what: Any) -> Any:
        try:
            answer = self._client.request(method, path, **what)
        except httpx.HTTPError as error:
            raise DemoError(f"{method} {path}: the controller does not answer ({error})") from error
        if not answer.is_success:
            raise DemoError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None


def monotonic(moment: str) -> float:
    """A time of the API on this machine's monotonic clock, which the BMCs' logs and the script use."""
    offset = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
    return datetime.fromisoformat(moment).timestamp() - offset
