"""Certificates as people paste them. Only the form: reading them is for those who have the tools (pure core)."""

import re

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
LONGEST = 64 * 1024


def certificates(raw: object, *, longest: int = LONGEST) -> str:
    """``raw`` with plain line ends; empty stays empty. Raises ValueError, which never shows what was given."""
    if not isinstance(raw, str) or len(raw) > longest:
        raise ValueError(f"write certificates in PEM, at most {longest:g} characters")
    if "PRIVATE KEY" in raw:
        raise ValueError("leave out the private key: only certificates belong here; it should be replaced now")
    text = raw.replace("\r\n", "\n").strip()
    if text and not (_PEM.search(text) and all(" " <= letter <= "~" or letter in "\n\t" for letter in text)):
        raise ValueError("write certificates in PEM: from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")
    return text
