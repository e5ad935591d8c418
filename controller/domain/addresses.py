"""Network addresses as people write them: one spelling for each, and which ones no power device can have."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LONGEST_NAME = 253


def canonical_address(text: str) -> str:
    """``text`` in its one spelling; empty stays empty. Raises ValueError unless it is an IP address or a host name."""
    plain = text.strip().lower().rstrip(".")
    try:
        return str(ip_address(plain))
    except ValueError:
        labels = plain.split(".")
        # A last label of digits only would be read as an IPv4 address in one of its old spellings (127.1).
        wrong = labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels)
        if plain and (wrong or len(plain) > _LONGEST_NAME):
            raise ValueError("write an IP address or a host name") from None
        return plain


def refused_for_power_device(address: str) -> str:
    """Why a power device can't live at ``address`` outside a lab; empty when it can, or when it is a name."""
    if address == "localhost" or address.endswith(".localhost"):
        return "is the controller itself"
    try:
        known = ip_address(address)
    except ValueError:
        return ""  # what a name resolves to is checked when it is saved, and whenever it is used
    if isinstance(known, IPv6Address):
        known = known.ipv4_mapped or known
    if known.is_loopback or known.is_unspecified:
        return "is the controller itself"
    if known.is_link_local:
        return "is link-local, which is another device on every network"
    if known.is_multicast or known == IPv4Address("255.255.255.255"):
        return "is not one device"
    return ""


def places(hosts: Iterable[str], resolved: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Each of ``hosts`` (names and addresses) with one word for where it is: those that share an address are at one.

    ``resolved``: what names are known to resolve to.
    """
    at: dict[str, str] = {}

    def found(host: str) -> str:
        while at.setdefault(host, host) != host:
            host = at[host]
        return host

    named = tuple(hosts)
    for host in named:
        for address in resolved.get(host, ()):
            first, other = sorted((found(host), found(address)))
            at[other] = first
    return {host: found(host) for host in named}
