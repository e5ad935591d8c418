"""What the name of a power device resolves to, as the drivers will find it; and whether that may be a device's place.

Settings are checked when they are saved; a name leads where its server says *now*.
"""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from controller.domain.addresses import refused_for_power_device

LookUp = Callable[[str], Awaitable[frozenset[str]]]

_PATIENCE_S = 2.0


async def look_up(name: str) -> frozenset[str]:
    """The addresses in their one spelling; an address is its own. Empty where it does not resolve within 2 s."""
    try:
        return frozenset({str(ip_address(name))})
    except ValueError:
        pass
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, None)
    except (OSError, UnicodeError):  # a TimeoutError is an OSError
        return frozenset()
    return frozenset(str(ip_address(str(address[0]).partition("%")[0])) for *_, address in found)


async def place_refused(host: str) -> str:
    """Why no power device can live where ``host`` leads to; empty when one can, and where it does not resolve."""
    for address in sorted(await look_up(host)):
        if why := refused_for_power_device(address):
            return f"{host} {why}" if address == host else f"{host} resolves to {address}, which {why}"
    return ""
