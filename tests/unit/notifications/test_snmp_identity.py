import json
from pathlib import Path

import pytest

from controller.notifications.base import ChannelError
from controller.notifications.channels.snmp_identity import EngineIdentity


def _start(folder: Path) -> tuple[bytes, int]:
    identity = EngineIdentity(folder)
    taken = identity.take()
    identity.give_back()
    return taken.engine_id, taken.boots


def test_the_id_stays_and_starts_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = _start(folder)
    assert (len(first[0]), first[0][:1], first[1]) == (13, b"\x80", 1)
    assert [_start(folder) for _ in range(2)] == [(first[0], 2), (first[0], 3)]


def test_two_processes_in_one_folder_are_two_engines(tmp_path: Path) -> None:
    one, other = EngineIdentity(tmp_path), EngineIdentity(tmp_path)
    assert one.take().engine_id != other.take().engine_id
    one.give_back()
    other.give_back()


def test_a_file_that_cannot_be_read_makes_a_new_one(tmp_path: Path) -> None:
    first = _start(tmp_path)
    (tmp_path / "snmp-engine-1.json").write_text("{")
    again = _start(tmp_path)
    assert (again[0] != first[0], again[1]) == (True, 1)


def test_when_starts_are_used_up_it_is_another_engine(tmp_path: Path) -> None:
    (tmp_path / "snmp-engine-1.json").write_text(json.dumps({"engine_id": "80001234", "boots": 2**31 - 1}))
    assert _start(tmp_path)[1] == 1


def test_a_folder_that_keeps_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ChannelError, match="HOSTFENCE_DATA_DIR") as caught:
        EngineIdentity(tmp_path / "file").take()
    assert caught.value.channel_down


def test_too_many_in_one_folder_are_told(tmp_path: Path) -> None:
    many = [EngineIdentity(tmp_path) for _ in range(16)]
    for one in many:
        one.take()
    with pytest.raises(ChannelError, match="too many controllers"):
        EngineIdentity(tmp_path).take()
    for one in many:
        one.give_back()
