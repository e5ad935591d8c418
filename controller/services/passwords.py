"""Passwords: hashed with scrypt, so that a stolen database costs an attacker memory and time for every guess.

The parameters stand beside each hash and can grow: :func:`outdated` says which hashes were made with smaller ones.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from controller.services.errors import BadInput

SHORTEST = 12
LONGEST = 256
_LOG_N, _R, _P = 15, 8, 3
"""32 MiB and about 0.2 s a guess: one of the sets that OWASP's cheat sheet gives for scrypt."""
_MEMORY = 64 * 1024 * 1024
_WORKERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="passwords")
"""Whoever tries many passwords at once waits in line, and takes no memory meanwhile."""


def checked_password(text: str, *, name: str) -> str:
    """``text``, if it can be a password of this user."""
    if not SHORTEST <= len(text) <= LONGEST:
        raise BadInput(
            f"the password must have {SHORTEST} to {LONGEST} characters; a few unrelated words are easy to remember",
            code="bad_password",
            field="password",
        )
    if len(set(text)) < 5 or text.casefold().strip() in (name.casefold(), f"{name}{name}".casefold()):
        raise BadInput("that password is too easy to guess; choose another", code="bad_password", field="password")
    return text


async def hashed(password: str) -> str:
    """What is kept of a password."""
    salt = secrets.token_bytes(16)
    digest = await _scrypt(password, salt, _LOG_N, _R, _P)
    return f"scrypt${_LOG_N}${_R}${_P}${_text(salt)}${_text(digest)}"


async def matches(password: str, kept: str) -> bool:
    """Whether ``kept`` was made from this password; with it empty (no such user) False, after just as long."""
    log_n, r, p, salt, digest = _parts(kept) if kept else (_LOG_N, _R, _P, b"no such user ...", b"")
    found = await _scrypt(password, salt, log_n, r, p)
    return hmac.compare_digest(found, digest)


def outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _parts(kept)[:3] != (_LOG_N, _R, _P)


async def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    text = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")

    def work() -> bytes:
        return hashlib.scrypt(text, salt=salt, n=2**log_n, r=r, p=p, maxmem=_MEMORY, dklen=32)

    return await asyncio.get_running_loop().run_in_executor(_WORKERS, work)


def _parts(kept: str) -> tuple[int, int, int, bytes, bytes]:
    _, log_n, r, p, salt, digest = kept.split("$")
    return int(log_n), int(r), int(p), base64.b64decode(salt), base64.b64decode(digest)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
