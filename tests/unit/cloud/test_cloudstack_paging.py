"""A list in pages: whole or an error, whatever happens to it while it is read."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind
from controller.cloud.cloudstack.paging import PAGE_SIZE, Rows, all_pages

Change = Callable[["Shelf"], object]


class Shelf:
    """A list behind pages. `after`: what happens to it once that many pages were asked for."""

    def __init__(self, length: int, *, largest: int = PAGE_SIZE, own_count: bool = True) -> None:
        self.rows: Rows = [{"id": f"i{number}"} for number in range(length)]
        self.largest, self.own_count = largest, own_count
        self.asked: list[tuple[int, int]] = []
        self.after: dict[int, Change] = {}
        self.running = self.most = 0

    async def page(self, number: int, size: int) -> dict[str, Any]:
        self.asked.append((number, size))
        if size > self.largest:
            said = f"Page size can't exceed max allowed page size value: {self.largest}"
            raise CloudStackError(ErrorKind.REJECTED, "listHosts", said, status=431, code=431)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        rows = self.rows[(number - 1) * size : number * size]
        answer = {"count": len(self.rows if self.own_count else rows), "host": rows} if rows else {}
        if change := self.after.pop(len(self.asked), None):
            change(self)
        return answer

    async def read(self, at_once: int = 4) -> Rows:
        return await all_pages("listHosts", self.page, at_once=at_once)


@pytest.mark.parametrize(("length", "pages"), [(0, 1), (1, 1), (499, 1), (500, 2), (501, 2), (1000, 2), (1203, 3)])
async def test_a_list_comes_whole_and_in_order(length: int, pages: int) -> None:
    shelf = Shelf(length)
    assert await shelf.read() == shelf.rows
    assert len(shelf.asked) == pages  # 500 of 500: `count` may be that page's own


@pytest.mark.parametrize("length", [500, 1000, 1203])
async def test_a_count_of_the_page_alone_ends_no_list(length: int) -> None:
    shelf = Shelf(length, own_count=False)
    assert await shelf.read() == shelf.rows


async def test_pages_are_asked_for_together_but_not_all_at_once() -> None:
    shelf = Shelf(20 * PAGE_SIZE)
    assert len(await shelf.read(at_once=3)) == 20 * PAGE_SIZE
    assert shelf.most == 3


async def test_a_cloud_with_smaller_pages() -> None:
    shelf = Shelf(250, largest=100)
    assert await shelf.read() == shelf.rows
    assert [size for _, size in shelf.asked] == [500, 100, 100, 100]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda shelf: shelf.rows.pop(0), id="one goes: the next is missed"),
        pytest.param(lambda shelf: shelf.rows.insert(0, {"id": "new"}), id="one comes: one twice"),
        pytest.param(lambda shelf: (shelf.rows.pop(), shelf.rows.insert(0, {"id": "new"})), id="one comes, one goes"),
        pytest.param(lambda shelf: shelf.rows.clear(), id="all go"),
    ],
)
async def test_a_list_that_changes_meanwhile_is_read_again(change: Change) -> None:
    shelf = Shelf(1203)
    shelf.after = {1: change}
    assert await shelf.read() == shelf.rows


async def test_one_more_behind_full_pages_is_noticed() -> None:
    shelf = Shelf(1500)
    shelf.after = {1: lambda one: one.rows.append({"id": "new"})}
    assert (await shelf.read())[-1] == {"id": "new"}


async def test_a_list_that_never_stands_still_is_no_list() -> None:
    shelf = Shelf(1203)
    shelf.after = dict.fromkeys(range(1, 50), lambda one: one.rows.pop(0))
    with pytest.raises(CloudStackError, match="twice") as caught:
        await shelf.read()
    assert caught.value.kind is ErrorKind.MALFORMED
    assert caught.value.__cause__ is not None
    assert len(shelf.asked) <= 6


async def test_a_page_that_is_short_by_one_is_noticed() -> None:
    shelf = Shelf(1203)

    async def page(number: int, size: int) -> dict[str, Any]:
        payload = await shelf.page(number, size)
        return {**payload, "host": payload["host"][1:]} if number == 2 else payload

    with pytest.raises(CloudStackError, match="499 items on page 2"):
        await all_pages("listHosts", page, at_once=1)


async def test_an_item_that_a_page_names_twice_comes_once() -> None:
    shelf = Shelf(3)
    shelf.rows.insert(1, {"id": "i0"})
    assert [row["id"] for row in await shelf.read()] == ["i0", "i1", "i2"]


async def test_items_without_an_id_are_all_kept() -> None:
    async def page(number: int, size: int) -> dict[str, Any]:
        del number, size
        return {"count": 2, "configuration": [{"name": "ping.interval"}, {"name": "ping.timeout"}]}

    assert len(await all_pages("listConfigurations", page, at_once=1)) == 2


async def test_a_list_without_a_count() -> None:
    async def page(number: int, size: int) -> dict[str, Any]:
        del size
        return {"host": [{"id": f"i{number}"}]}

    assert await all_pages("listHosts", page, at_once=1) == [{"id": "i1"}]


@pytest.mark.parametrize(
    "payload",
    [
        {"count": 1, "host": [{"id": "a"}], "vm": []},
        {"count": 1, "host": {"id": "a"}},
        {"count": 1, "host": ["a"]},
        {"success": "true"},
        {"count": 3, "host": [{"id": "a"}]},
        {"count": 1, "host": [{"id": "a"}, {"id": "b"}]},
        {"count": 10**9, "host": [{"id": str(number)} for number in range(500)]},
    ],
)
async def test_what_is_no_list_is_malformed(payload: dict[str, Any]) -> None:
    async def page(number: int, size: int) -> dict[str, Any]:
        del number, size
        return payload

    with pytest.raises(CloudStackError) as caught:
        await all_pages("listHosts", page, at_once=1)
    assert caught.value.kind is ErrorKind.MALFORMED


async def test_one_page_that_fails_fails_the_list_with_its_own_reason() -> None:
    why = OSError("cable")
    shelf = Shelf(1203)

    async def page(number: int, size: int) -> dict[str, Any]:
        if number == 3:
            raise CloudStackError(ErrorKind.UNREACHABLE, "listHosts", "no whole answer") from why
        return await shelf.page(number, size)

    with pytest.raises(CloudStackError, match="no whole answer") as caught:
        await all_pages("listHosts", page, at_once=2)
    assert caught.value.__cause__ is why
