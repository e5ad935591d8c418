import pytest

from probe_agent.records import (
    RECORD_SIZE,
    RUNNING,
    WITHDRAWN,
    MalformedRecordError,
    Record,
    decode,
    encode,
    is_host_id,
)

HOST = "6f0f3c9e-57a7-4b3e-9d1a-0c9a52f3b111"


def a_record(*, counter: int = 7, state: str = RUNNING) -> Record:
    return Record(HOST, "boot-1", counter, "0.1.0", state)


@pytest.mark.parametrize("state", [RUNNING, WITHDRAWN])
def test_a_record_is_one_block_and_comes_back_the_same(state: str) -> None:
    block = encode(a_record(state=state))
    assert len(block) == RECORD_SIZE
    assert decode(block) == a_record(state=state)


def test_a_block_torn_between_two_writes_is_malformed() -> None:
    old, new = encode(a_record(counter=99)), encode(a_record(counter=100))
    for cut in range(1, len(new.rstrip())):
        mixed = new[:cut] + old[cut:]
        if mixed not in {old, new}:
            with pytest.raises(MalformedRecordError):
                decode(mixed)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\0" * RECORD_SIZE,
        encode(a_record())[:512],
        encode(a_record()) + b" ",
        encode(a_record())[:-2] + b"x\n",
        encode(a_record(state="sleeping")),
        encode(a_record()).replace(b'"format":1', b'"format":2'),
    ],
)
def test_anything_else_is_malformed(block: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        decode(block)


def test_a_record_too_long_for_its_block_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(Record(HOST, "b" * RECORD_SIZE, 1, "0.1.0", RUNNING))


def test_only_lower_case_uuids_name_records() -> None:
    assert is_host_id(HOST)
    assert not any(map(is_host_id, [HOST.upper(), HOST + "~", "../" + HOST, "", HOST[:-1]]))
