"""Reads ``NAME=VALUE`` of the command line by the controller's own list of settings. Secrets never stand there."""

import difflib
import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from controller.cli.errors import CliError, Exit
from controller.cli.yaml_files import read_yaml

_NUMBERS = ("duration", "integer")
_STRUCTURED = ("state_map", "channels")


def read_words(words: Sequence[str], catalogue: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Setting name -> JSON value. ``NAME=-`` asks (or reads one line), ``NAME=@FILE`` reads a file."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise CliError(f"{word!r}: write NAME=VALUE", code=Exit.USAGE)
        found[name] = _value(known(name, catalogue), text)
    return found


def known(name: str, catalogue: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The setting of that name."""
    if name == "mode":
        raise CliError("the mode has a command of its own: hostfence mode", code=Exit.USAGE)
    if name not in catalogue:
        raise CliError(f"there is no setting {name!r}", code=Exit.USAGE, hints=near(name, catalogue))
    return catalogue[name]


def near(name: str, catalogue: Mapping[str, Any]) -> tuple[str, ...]:
    """Names like it."""
    close = difflib.get_close_matches(name, list(catalogue), n=3, cutoff=0.6)
    return (f"did you mean {' or '.join(close)}?",) if close else ("hostfence settings get lists them",)


def _value(setting: Mapping[str, Any], text: str) -> Any:
    name, kind = setting["name"], setting["kind"]
    if text == "-":
        text = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    elif text.startswith("@"):
        if kind in _STRUCTURED:
            return read_yaml(Path(text[1:]))
        text = _file(Path(text[1:]))
    elif setting["secret"]:
        raise CliError(
            f"{name} is a secret: other users of this machine can see the command line",
            code=Exit.USAGE,
            hints=(f"write {name}=- and type it, or {name}=@FILE",),
        )
    return _typed(name, kind, text)


def _typed(name: str, kind: str, text: str) -> Any:
    try:
        if kind in _NUMBERS:
            return float(text) if "." in text else int(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        if kind in _STRUCTURED:
            return json.loads(text)
    except (ValueError, KeyError, yaml.YAMLError):
        wanted = {"boolean": "true or false"}.get(kind, "a number" if kind in _NUMBERS else "JSON")
        raise CliError(f"{name}: {text!r} is not {wanted}", code=Exit.USAGE) from None
    return text


def _file(path: Path) -> str:
    try:
        return path.read_text().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path} cannot be read: {error}", code=Exit.USAGE) from error
