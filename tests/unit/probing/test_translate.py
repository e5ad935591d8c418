"""What an image's holders mean for one host: itself is life, anybody else tells nothing. And what a pool's mount is."""

import pytest

from controller.domain.evidence import Reading
from controller.domain.watch import PoolSeen
from controller.probing.base import Question
from controller.probing.translate import report_of, seen_of
from shared.enums import ReadingCode, ReadingMethod, ReadingStatus
from shared.protocol import FileReading, PoolSight, ProbeAnswer, WatchAnswer
from tests.fixtures import builders as a

IMAGE = "rbd:vms/disk-1"


def read(*held_by: str, address: str = "192.0.2.7") -> Reading:
    subject = a.host("h1", address=address)
    found = FileReading(path=IMAGE, status=ReadingStatus.OK, how=ReadingMethod.RBD_COMMAND, inode=7, held_by=held_by)
    answer = ProbeAnswer(
        nonce="n" * 8, host_id="w1", boot_id="b", agent_version="1", took_s=0.1, readings=[found], pools=[], reach=[]
    )
    question = Question(subject=subject, paths=(IMAGE,), pool_roots=())
    (reading,) = report_of("w1", question, answer, took_s=0.1).readings
    return reading


@pytest.mark.parametrize("held_by", [("192.0.2.7",), ("192.0.2.9", "192.0.2.7")])
def test_an_image_held_by_the_host_itself(held_by: tuple[str, ...]) -> None:
    assert read(*held_by) == Reading(path=IMAGE, state=None, held=True)


def test_addresses_are_compared_as_addresses() -> None:
    assert read("2001:db8:0::7", address="2001:db8::7").held


@pytest.mark.parametrize("address", ["192.0.2.70", "a.example"])
def test_an_image_held_by_somebody_else_is_unknown_and_says_by_whom(address: str) -> None:
    seen = read("192.0.2.7", "not an address", address=address)
    assert (seen.held, seen.state, seen.code) == (False, None, ReadingCode.FOREIGN)
    assert "192.0.2.7" in seen.detail
    assert address in seen.detail


def test_an_image_held_by_nobody_is_a_reading_like_a_files() -> None:
    seen = read()
    assert seen.state is not None
    assert (seen.held, seen.state.inode) == (False, 7)


def seen(**fields: object) -> PoolSeen:
    sight = PoolSight.model_validate({"root": "/mnt/p1", "status": "ok", **fields})
    answer = WatchAnswer(nonce="n" * 8, host_id="w1", boot_id="b", agent_version="1", took_s=0.1, pools=[sight])
    (pool,) = seen_of("w1", answer).pools
    return pool


def test_a_pools_mount_comes_along_as_the_agent_tells_it() -> None:
    pool = seen(fs_type="nfs4", mount_options="rw,soft", mount_source="nas:/vol1")
    assert (pool.fs_type, pool.mount_options, pool.mount_source) == ("nfs4", "rw,soft", "nas:/vol1")
    assert (pool.readable, pool.code) == (True, None)


def test_a_pool_that_cannot_be_read_has_a_code_whatever_the_agent_says() -> None:
    assert seen(status="unknown", code="mount_refused").code is ReadingCode.MOUNT_REFUSED
    assert seen(status="unknown").code is ReadingCode.OTHER
    assert seen(status="ok", code="io_error").code is None


def test_an_older_agent_tells_no_source() -> None:
    assert seen(fs_type="nfs").mount_source == ""
