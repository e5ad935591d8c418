"""Does the service in this container answer? ``python healthy.py controller``, ``… agent [SETTINGS]``; for HEALTHCHECK.

The controller is asked for ``/healthz``, which answers while it lives, whatever its database does. The agent speaks TLS
only, and with holders of a certificate: it is asked with its own, for its own name.
"""

import http.client
import os
import sys

PATIENCE_S = 8.0


def controller() -> http.client.HTTPConnection:
    """A connection to the one here."""
    port = int(os.environ.get("HOSTFENCE_LISTEN_PORT") or 8440)
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)


def agent() -> http.client.HTTPConnection:
    """A connection to the one here, as its settings say that it listens."""
    from pathlib import Path  # noqa: PLC0415 - the controller's image has no agent

    from probe_agent.config import load  # noqa: PLC0415
    from probe_agent.tls import load_files  # noqa: PLC0415

    config, _ = load(os.environ, Path(*sys.argv[2:] or ["/etc/hostfence-agent/agent.conf"]))
    if config.tls is None:
        return http.client.HTTPConnection("127.0.0.1", config.port, timeout=PATIENCE_S)
    # As shared.enrolment has it, which is not imported: what it needs takes a busy host seconds to load.
    context, name = load_files(config.tls), f"{config.host_id}.agent.hostfence"

    class ToItself(http.client.HTTPSConnection):
        """To this machine, under the name that the certificate is for."""

        def connect(self) -> None:
            """Connect, then shake hands."""
            http.client.HTTPConnection.connect(self)
            self.sock = context.wrap_socket(self.sock, server_hostname=name)

    return ToItself("127.0.0.1", config.port, timeout=PATIENCE_S, context=context)


def main() -> int:
    """0 when it answers."""
    connection = {"controller": controller, "agent": agent}[sys.argv[1]]()
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except OSError as error:
        print(f"it does not answer: {error}", file=sys.stderr)
        return 1
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
