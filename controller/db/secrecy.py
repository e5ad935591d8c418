"""Encrypts what must not lie in the database in plain text (rule 7): agent tokens, secret settings.

The key stays outside the database. Several keys may be given: the first one writes, all of them read (rotation).
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from controller.db.store import StoreError


class KeyMismatchError(StoreError):
    """A secret was written with a key that was not given."""


class Vault:
    """Seals and opens short texts. Raises ValueError for keys that are none."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("an encryption key is needed")
        self._current = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> bytes:
        """Encrypted and authenticated; the same text looks different each time."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass"))

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key alone opens it."""
        try:
            self._current.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def open(self, sealed: bytes) -> str:
        """The text again. Raises :class:`KeyMismatchError`."""
        try:
            return self._fernet.decrypt(sealed).decode("utf-8", "surrogatepass")
        except InvalidToken as error:
            raise KeyMismatchError(
                "a stored secret cannot be read with the encryption key given: give the key it was written with as well"
            ) from error
