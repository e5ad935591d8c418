"""Reads a power state out of a command's exit code and its output, by a map the operator or a preset gives.

A key of digits is an exit code; any other key is a text looked for in the standard output, in any case of letters, as
whole words, ``*`` standing for anything within one line. Carries rule 3: what is unclear or contradicts itself is
unknown. The error output is never looked at: ipmitool prints warnings there when all is well.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.domain.power import PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """How a command ended: its exit code (negative: killed by that signal) and its output, perhaps cut off."""

    exit_code: int
    out: str
    cut: bool = False


def can_read_off(state_map: Mapping[str, str]) -> bool:
    """Whether any answer at all would be read as off."""
    return PowerState.OFF in state_map.values()


def state_of(printed: Printed, state_map: Mapping[str, str]) -> PowerState:
    """The one state that everything which fits agrees on, else unknown."""
    by_code = {PowerState(state) for key, state in state_map.items() if _fits_code(key, printed.exit_code)}
    if printed.exit_code != 0 and not by_code:
        return PowerState.UNKNOWN
    texts = {key: state for key, state in state_map.items() if not _is_code(key)}
    if texts and printed.cut:  # what contradicts may stand in the part that was thrown away
        return PowerState.UNKNOWN
    by_text = {PowerState(state) for text, state in texts.items() if found(text, printed.out)}
    states = by_code | by_text
    return states.pop() if len(states) == 1 else PowerState.UNKNOWN


def found(pattern: str, out: str) -> bool:
    """Whether a line of ``out`` holds ``pattern``. No regular expression: a bad one could stall the controller."""
    parts = [part for part in pattern.lower().split("*") if part]
    return bool(parts) and any(_in_line(parts, line) for line in out.lower().splitlines())


def _in_line(parts: list[str], line: str) -> bool:
    at = 0
    for part in parts:
        at = _find_word(part, line, at)
        if at < 0:
            return False
        at += len(part)
    return True


def _find_word(part: str, line: str, start: int) -> int:
    """Where ``part`` stands as whole words: *off* is neither in *official* nor in *offline*."""
    at = line.find(part, start)
    while at >= 0:
        end = at + len(part)
        begins = not (part[0].isalnum() and at > 0 and line[at - 1].isalnum())
        ends = not (part[-1].isalnum() and end < len(line) and line[end].isalnum())
        if begins and ends:
            return at
        at = line.find(part, at + 1)
    return -1


def _is_code(key: str) -> bool:
    return key.isascii() and key.isdigit()


def _fits_code(key: str, code: int) -> bool:
    return _is_code(key) and int(key) == code
