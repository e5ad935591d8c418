"""`hostfence-controller key`: as an administrator runs it, on a given server and on hostfence's own."""

from pathlib import Path

import httpx

from controller.config import key_id, new_key
from tests.fixtures.controller import ControllerProcess

OLD, NEW = new_key(), new_key()


def add_a_host(process: ControllerProcess) -> None:
    headers = {"Authorization": f"Bearer {process.token}"}
    for path, body in (
        ("clusters", {"name": "c"}),
        ("hosts", {"cluster": "c", "name": "kvm-1", "address": "127.0.0.1"}),
    ):
        answer = httpx.post(f"{process.url}/api/v1/{path}", json=body, headers=headers, timeout=10, trust_env=False)
        assert answer.status_code == 201, answer.text


def on(url: str, folder: Path, *keys: str) -> ControllerProcess:
    return ControllerProcess(folder, HOSTFENCE_DATABASE_URL=url, HOSTFENCE_ENCRYPTION_KEY=",".join(keys))


def test_a_key_is_changed_while_controllers_run(database_url: str, tmp_path: Path) -> None:
    """As in docs/operate.md: a controller that has both goes on reading what another one's rotation wrote."""
    process = on(database_url, tmp_path / "data", OLD, NEW)
    try:
        process.start()
        add_a_host(process)
        code, said = on(database_url, tmp_path / "data", OLD).fail("key", "rotate")
        assert (code, "write the new one before it" in said) == (2, True)
        code, said = on(database_url, tmp_path / "data", NEW, OLD).fail("key", "check")
        assert (code, "1 of 1 secrets still need an older key" in said) == (2, True)

        code, said = on(database_url, tmp_path / "data", NEW, OLD).fail("key", "rotate")

        assert (code, f"nothing but the key {key_id(NEW)}" in said) == (0, True), said
        assert not {OLD, NEW} & set(said.split())
        assert [one["name"] for one in process.get("/api/v1/hosts").json()] == ["kvm-1"]
        (row, *_) = process.get("/api/v1/audit").json()["items"]
        assert (row["action"], row["data"]) == ("key.rotate", {"key": key_id(NEW), "secrets": 1})
        code, said = on(database_url, tmp_path / "data", NEW).fail("key", "check")
        assert (code, "1 secrets, 1 of them sealed with the key" in said) == (0, True), said
        code, said = on(database_url, tmp_path / "data", OLD).fail("key", "check")
        assert (code, "open to none of these keys" in said) == (2, True), said
    finally:
        process.close()


def test_where_hostfence_keeps_the_key_itself_one_command_does_it(tmp_path: Path) -> None:
    folder = Path(tmp_path / "data")
    process = ControllerProcess(folder)
    process.start()
    try:
        add_a_host(process)
        file = folder / "encryption.key"
        old = file.read_text().strip()
        code, said = process.fail("key", "rotate")
        assert (code, "another controller" in said) == (2, True), "its server is in use"
        assert file.read_text().strip() == old
        assert process.fail("key", "check")[0] == 0, "which only looks, beside the controller"
        process.end()

        code, said = process.fail("key", "rotate")

        assert code == 0, said
        assert "1 secrets sealed anew" in said
        new = file.read_text().strip()
        assert new not in ("", old)
        assert file.stat().st_mode & 0o777 == 0o600
        former = folder / f"encryption.key.{key_id(old)}"
        assert (former.read_text().strip(), former.stat().st_mode & 0o777) == (old, 0o600)
        assert str(former) in said
        assert old not in said
        process.start()
        assert [one["name"] for one in process.get("/api/v1/hosts").json()] == ["kvm-1"]
    finally:
        process.close()


def test_a_new_key_needs_no_configuration(tmp_path: Path) -> None:
    wrong = ControllerProcess(tmp_path / "data", HOSTFENCE_LISTEN_PORT="no port")
    code, said = wrong.fail("key", "new")
    assert code == 0
    assert len(said.strip()) == 44
    assert not (tmp_path / "data").exists()
