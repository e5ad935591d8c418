"""Reads a list that comes in pages as one list, or says that it changed meanwhile.

CloudStack pages by offset and keeps no snapshot: what is added or removed between two pages moves the rest, so that an
item can be missed or come twice. ``count`` (the whole list's length, in every page) tells that most of the time.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from controller.cloud.cloudstack.answers import whole_number
from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind

PAGE_SIZE = 500
"""The most that CloudStack allows unless its administrator says otherwise."""

_MOST_PAGES = 2000
_SMALLER = re.compile(r"max allowed page ?size value: (\d{1,4})\b", re.IGNORECASE)

Rows = list[dict[str, Any]]
Ask = Callable[[int, int], Awaitable[dict[str, Any]]]
"""The payload of one page: its number from 1, and its size."""


class _ChangedError(Exception):
    """The list changed between two of its pages."""


async def all_pages(command: str, ask: Ask, *, at_once: int) -> Rows:
    """Every item once, in CloudStack's order. A list that changes while it is read is read again once.

    Raises:
        CloudStackError: of ``ask``; or ``malformed``: it changed again, or is no list.
    """
    try:
        return await _sized(command, ask, at_once)
    except _ChangedError:
        pass
    try:
        return await _sized(command, ask, at_once)
    except _ChangedError as error:
        said = f"the list does not fit its own count, twice: {error}"
        raise CloudStackError(ErrorKind.MALFORMED, command, said) from error


async def _sized(command: str, ask: Ask, at_once: int) -> Rows:
    """With the largest pages that this CloudStack allows (its setting ``default.page.size``)."""
    try:
        return await _read(command, ask, PAGE_SIZE, at_once)
    except CloudStackError as error:
        smaller = _SMALLER.search(error.said) if error.kind is ErrorKind.REJECTED else None
        if smaller is None or not 0 < int(smaller[1]) < PAGE_SIZE:
            raise
        size = int(smaller[1])
    return await _read(command, ask, size, at_once)


async def _read(command: str, ask: Ask, size: int, at_once: int) -> Rows:
    first = await ask(1, size)
    rows, total = _rows(command, first), whole_number(first.get("count"))
    if total is None:
        total = len(rows)
    pages = [rows]
    if total == len(rows) == size:
        pages += await _one_by_one(command, ask, size)
    elif total > len(rows):
        if len(rows) < size:
            raise _ChangedError(f"{len(rows)} of {total} on the first page")
        pages += await _together(command, ask, size, total, at_once)
    elif total < len(rows):
        raise _ChangedError(f"{len(rows)} of {total}")
    return _merged(pages)


async def _one_by_one(command: str, ask: Ask, size: int) -> list[Rows]:
    """The pages after a full first one, where ``count`` may be that page's alone: some commands tell no more."""
    pages: list[Rows] = []
    while len(pages) < _MOST_PAGES:
        rows = _rows(command, await ask(2 + len(pages), size))
        if not rows:
            return pages
        pages.append(rows)
        if len(rows) < size:
            return pages
    raise CloudStackError(ErrorKind.MALFORMED, command, f"a list of more than {_MOST_PAGES} pages")


async def _together(command: str, ask: Ask, size: int, total: int, at_once: int) -> list[Rows]:
    numbers = range(2, 2 + (total - 1) // size)
    if len(numbers) > _MOST_PAGES:
        raise CloudStackError(ErrorKind.MALFORMED, command, f"a list of {total} items, which is too long")
    room = asyncio.Semaphore(at_once)

    async def one(number: int) -> Rows:
        async with room:
            payload = await ask(number, size)
        rows, now = _rows(command, payload), whole_number(payload.get("count"))
        if now != total or len(rows) != min(size, total - (number - 1) * size):
            raise _ChangedError(f"{len(rows)} items on page {number}, {now or 0} in all after {total}")
        return rows

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in numbers]
    except* (CloudStackError, _ChangedError) as several:
        error = several.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise error


def _rows(command: str, payload: dict[str, Any]) -> Rows:
    """The one list in a payload; an empty list is left out by CloudStack."""
    lists = [value for name, value in payload.items() if name != "count"]
    if not lists:
        return []
    if len(lists) != 1 or not isinstance(lists[0], list) or not all(isinstance(row, dict) for row in lists[0]):
        said = f"not one list, but {', '.join(sorted(payload))[:100]}"
        raise CloudStackError(ErrorKind.MALFORMED, command, said)
    return lists[0]


def _merged(pages: list[Rows]) -> Rows:
    """Some lists name an item twice on a page, which is theirs; the same item on two pages has moved meanwhile."""
    merged: Rows = []
    known: set[str] = set()
    for page in pages:
        here: set[str] = set()
        for row in page:
            name = row.get("id")
            if not isinstance(name, str) or (name not in here and name not in known):
                merged.append(row)
            elif name in known:
                raise _ChangedError(f"{name} on two pages")
            if isinstance(name, str):
                here.add(name)
        known |= here
    return merged
