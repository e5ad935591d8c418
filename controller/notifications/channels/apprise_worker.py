"""One message to one service, in a process of its own that is killed when it takes too long: the only home of apprise.

Reads one JSON object from standard input and writes one to standard output. The URL, which holds keys, stands neither
in the arguments nor in the environment; what the library logs goes back to the controller, which takes the keys out.
"""

import io
import json
import logging
import signal
import sys
from typing import Any

import apprise
from apprise.plugins import url_to_dict

from controller.domain.channels.apprise import PARAMETERS, SERVICES

_ENDS_BY_ITSELF_S = 60
"""Even if the controller died meanwhile."""


def deliver(order: dict[str, Any]) -> dict[str, Any]:
    """``sent``, and what was said; ``understood``: whether the URL is one of an allowed service."""
    log = io.StringIO()
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.StreamHandler(log))
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    service = _service(order["url"])
    sent = service is not None and service.notify(
        body=order["body"],
        title=order["title"],
        notify_type=apprise.NotifyType(order["type"]),
        body_format=apprise.NotifyFormat.TEXT,
    )
    return {"understood": service is not None, "sent": bool(sent), "said": log.getvalue()}


def _service(url: str) -> apprise.NotifyBase | None:
    """Checked once more, on what the library itself made of the URL: it may read one otherwise than we did."""
    parts = url_to_dict(url)  # type: ignore[no-untyped-call] # the library says so only of its other half
    if not parts or parts.get("schema") not in SERVICES or _asked_for(parts) - PARAMETERS:
        return None
    asset = apprise.AppriseAsset(
        async_mode=False, http_redirects=False, storage_mode=apprise.PersistentStoreMode.MEMORY, app_id="hostfence"
    )
    service = apprise.Apprise.instantiate(parts, asset=asset)
    if service is not None:
        service.overflow_mode = apprise.OverflowMode.SPLIT
    return service


def _asked_for(parts: dict[str, Any]) -> set[str]:
    names = set(parts.get("qsd", {}))
    for kind in ("qsd+", "qsd-", "qsd:"):
        names |= {f"{kind[-1]}{name}" for name in parts.get(kind, {})}
    return names - {""}


def main() -> None:
    """Entry point."""
    signal.alarm(_ENDS_BY_ITSELF_S)
    answer = deliver(json.load(sys.stdin))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
