"""Network addresses as people write them: one spelling for each, and which ones no power device can have."""

import re
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
        return ""  # what a name resolves to is checked whenever it is used
    if isinstance(known, IPv6Address):
        known = known.ipv4_mapped or known
    if known.is_loopback or known.is_unspecified:
        return "is the controller itself"
    if known.is_link_local:
        return "is link-local, which is another device on every network"
    if known.is_multicast or known == IPv4Address("255.255.255.255"):
        return "is not one device"
    return ""
