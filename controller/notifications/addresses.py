"""Where a name leads, looked at before anything is sent there: not to where clouds keep their credentials."""

import asyncio
import socket

from controller.domain.channels.webhook import refused_for_webhook


async def refused(host: str, port: int) -> str:
    """Why nothing is sent to ``host``; empty when it may be. Raises :class:`OSError` for a name that leads nowhere."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if why := refused_for_webhook(str(address[0]).partition("%")[0]):
            return f"{host} is {address[0]}, which {why}"
    return ""
