"""A command line with variables, as the request writes it, and which program it may name. Pure; never a shell.

The template is split into words first and each value is then put in as it is: a value that begins with ``-`` or holds
blanks, quotes or ``$(...)`` stays one piece of one word. Variables are read in any case, with or without ``IPMI_``,
with or without braces; ``$$`` is the sign itself.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

VARIABLES = frozenset(
    {
        "exec",
        "username",
        "password",
        "password_file",
        "action",
        "host",
        "port",
        "plug",
        "nodename",
        "cipher",
        "privilege",
    }
)
"""What may follow ``$IPMI_`` in a command template, in any case of letters."""

_REFERENCE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)|)")


class TemplateError(ValueError):
    """A template that can't be used; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one word: a known variable's name in small letters, or text to be taken as it is."""

    text: str
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A command line, split. Every word is a sequence of pieces."""

    words: tuple[tuple[Piece, ...], ...]

    @property
    def variables(self) -> frozenset[str]:
        """The variables it names."""
        return frozenset(piece.text for word in self.words for piece in word if piece.variable)

    @property
    def names_program_first(self) -> bool:
        """Whether its first word is exactly ``$IPMI_EXEC``."""
        return bool(self.words) and self.words[0] == (Piece("exec", variable=True),)

    def fill(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """The words with every value put in literally. ``values`` has each variable the template names."""
        return tuple("".join(values[p.text] if p.variable else p.text for p in word) for word in self.words)


def parse_template(text: str) -> Template:
    """Split ``text`` and find its variables.

    Raises:
        TemplateError: unbalanced quotes, an unknown variable, a ``$`` that begins none.
    """
    if text.startswith("“") and text.endswith("”"):  # the request's own line, pasted with its quotes
        text = text[1:-1]
    try:
        words = shlex.split(text)
    except ValueError:
        raise TemplateError(
            "its quotes are not balanced; close each \" and ', and write \\\\ for a backslash"
        ) from None
    return Template(tuple(_pieces(word) for word in words))


def template_variables(text: str) -> frozenset[str]:
    """The variables a template names, in small letters, without the ``IPMI_``; nothing for one that can't be read."""
    try:
        return parse_template(text).variables
    except TemplateError:
        return frozenset()


def allowed_program(name: str, allowed: Iterable[PurePath]) -> PurePath:
    """The one allowed program that ``name`` means: its whole path, or a file name that is the only such one.

    Raises:
        TemplateError: it is not allowed, or the bare name is ambiguous.
    """
    programs = tuple(dict.fromkeys(allowed))
    found = [one for one in programs if name == str(one) or ("/" not in name and one.name == name)]
    if len(found) > 1:
        raise TemplateError(f"{name} is ambiguous; write one of {', '.join(map(str, found))}")
    if not found:
        listed = ", ".join(map(str, programs)) or "which lists none yet"
        raise TemplateError(
            f"{name!r} is not a program this controller may run; name one of HOSTFENCE_EXEC_ALLOWED in the "
            f"controller's environment ({listed})"
        )
    return found[0]


def _pieces(word: str) -> tuple[Piece, ...]:
    pieces, end = [], 0
    for reference in _REFERENCE.finditer(word):
        if reference.start() > end:
            pieces.append(Piece(word[end : reference.start()]))
        end = reference.end()
        pieces.append(_referred(reference))
    if end < len(word) or not pieces:
        pieces.append(Piece(word[end:]))
    return tuple(pieces)


def _referred(reference: re.Match[str]) -> Piece:
    if reference.group() == "$$":
        return Piece("$")
    name = reference.group(1) or reference.group(2)
    if not name:
        raise TemplateError("a $ must begin a variable; write $$ for the sign itself (no shell ever reads this line)")
    known = name.lower().removeprefix("ipmi_")
    if known not in VARIABLES:
        names = ", ".join(f"$IPMI_{variable.upper()}" for variable in sorted(VARIABLES))
        raise TemplateError(f"${name} is not known; use {names}")
    return Piece(known, variable=True)
