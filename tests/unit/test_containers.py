"""Dockerfiles and docker-compose.yml, read: what is closed, pinned, named (`make containers` runs them)."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.config import Config
from probe_agent.config import _PARSERS as AGENT_SETTINGS
from probe_agent.config import DEFAULT_UID

HOUSE = Path(__file__).parents[2]
VERSION = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]["version"]
SHIPPED = {"controller": 64840, "agent": DEFAULT_UID}
ALL = (*SHIPPED, "demo")
ONCE = {"migrate", "setup"}
"""Services that end."""


def dockerfile(kind: str) -> list[tuple[str, str]]:
    """Instructions with their words, continuation lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (HOUSE / f"Dockerfile.{kind}").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def words(kind: str, instruction: str) -> list[str]:
    return [" ".join(rest.split()) for found, rest in dockerfile(kind) if found == instruction]


def compose() -> dict[str, Any]:
    """With every variable at its default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (HOUSE / "docker-compose.yml").read_text())
    assert "${" not in text, "a variable without a default: the file could not be used as it is"
    found: dict[str, Any] = yaml.safe_load(text)
    return found


SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = sorted(name for name in SERVICES if name != "postgres")


@pytest.mark.parametrize("kind", ALL)
def test_nobody_in_an_image_is_root_and_its_user_is_a_number(kind: str) -> None:
    """The last word counts, and an orchestrator that forbids root must be able to tell."""
    last = words(kind, "USER")[-1]
    uid = SHIPPED.get(kind, DEFAULT_UID)
    assert last == f"{uid}:{uid}"
    made = " ".join(words(kind, "RUN"))
    assert kind == "demo" or f"--uid {uid}" in made


@pytest.mark.parametrize("kind", ALL)
def test_everything_is_pinned(kind: str) -> None:
    bases = {base.split()[0] for base in words(kind, "FROM")}
    assert bases == {"${PYTHON_IMAGE}"}
    assert words(kind, "ARG") == ["PYTHON_IMAGE=python:3.12-slim"]
    installs = re.findall(r"pip install (.*?)(?=&&|$)", " && ".join(words(kind, "RUN")))
    assert len(installs) == 2
    assert "--require-hashes -r requirements/" in installs[0]
    assert all("--no-deps" in one for one in installs)
    assert "--no-build-isolation" in installs[1], "nothing unpinned is fetched to build the project"
    for one in words(kind, "RUN"):
        assert "apt-get" not in one
        assert "curl" not in one


@pytest.mark.parametrize("kind", SHIPPED)
def test_a_shipped_image_says_whether_it_lives_and_holds_no_fake(kind: str) -> None:
    (check,) = words(kind, "HEALTHCHECK")
    assert check.endswith(f'"{kind}"]')
    assert "--start-period" in check
    copied = [word for line in words(kind, "COPY") for word in line.split()[:-1] if not word.startswith("--")]
    assert not {"demo", "tests", "."} & set(copied)
    assert words(kind, "STOPSIGNAL") == ["SIGTERM"]


@pytest.mark.parametrize("kind", ALL)
def test_what_is_copied_is_there_and_not_ignored(kind: str) -> None:
    allowed = {line[1:] for line in (HOUSE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in words(kind, "COPY"):
        if line.startswith("--from"):
            continue
        for source in line.split()[:-1]:
            assert (HOUSE / source).exists(), source
            assert any(source == one or source.startswith(f"{one}/") for one in allowed), source


def test_secrets_and_whatever_lies_about_stay_out_of_the_build() -> None:
    lines = (HOUSE / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*", "everything is ignored but what is named"
    assert not any("secret" in line for line in lines[2:])
    assert "secrets/" in (HOUSE / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & service.keys()
    assert "docker.sock" not in str(service.get("volumes", ""))


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_versions(name: str) -> None:
    image = SERVICES[name]["image"]
    tag = image.rpartition(":")[2]
    assert tag != image
    assert tag != "latest"
    if name != "postgres":
        assert tag == VERSION, "the project's own"
        assert (HOUSE / SERVICES[name]["build"]["dockerfile"]).exists()


def test_no_secret_is_in_the_file() -> None:
    """They come from files; variables that end in _FILE name where."""
    found = compose()
    for name, service in found["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|KEY|TOKEN|SECRET|DATABASE_URL", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.removeprefix("/run/secrets/") in service["secrets"]
        assert set(service.get("secrets", ())) <= found["secrets"].keys()
    assert all(one["file"].startswith("./secrets/") for one in found["secrets"].values())
    assert "postgresql://" not in (HOUSE / "docker-compose.yml").read_text()


def test_the_variables_are_ones_that_the_programs_know() -> None:
    controller = {f"HOSTFENCE_{name.upper()}" for name in Config.model_fields}
    secrets = {"HOSTFENCE_DATABASE_URL_FILE", "HOSTFENCE_ENCRYPTION_KEY_FILE"}
    agent = {f"HOSTFENCE_AGENT_{name}" for name in AGENT_SETTINGS}
    for service in SERVICES.values():
        given = {name for name in service.get("environment") or {} if name.startswith("HOSTFENCE_")}
        assert given - {"HOSTFENCE_NET"} <= controller | secrets | agent


def test_two_controllers_on_one_database_each_with_a_memory_of_its_own() -> None:
    one, other = SERVICES["controller-1"], SERVICES["controller-2"]
    assert one["environment"] == other["environment"]
    assert {volume for service in (one, other) for volume in service["volumes"]} == {
        "controller-1:/var/lib/hostfence",
        "controller-2:/var/lib/hostfence",
    }
    assert all(port.startswith("127.0.0.1:") for service in (one, other) for port in service["ports"])
    for service in (one, other):
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert service["stop_grace_period"] == "30s", "longer than serve takes to end its steps"


def test_what_only_pretends_is_in_the_demo_profile_alone() -> None:
    for name, service in SERVICES.items():
        plain = name in {"postgres", "migrate", "controller-1", "controller-2"}
        assert (service.get("profiles") is None) is plain, name
        fake = service.get("build", {}).get("dockerfile") == "Dockerfile.demo"
        assert not (fake and plain)
        assert service["restart"] == ("no" if name in ONCE or name.startswith("kvm-") else "unless-stopped")


def test_everything_that_is_named_exists() -> None:
    found = compose()
    addresses = []
    for name, service in found["services"].items():
        assert set(service.get("depends_on") or {}) <= found["services"].keys(), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in found["volumes"] or (HOUSE / source).exists(), source
        addresses += [network["ipv4_address"] for network in service["networks"].values()]
    assert len(set(addresses)) == len(addresses) == len(found["services"])


def test_the_demos_hosts_are_those_that_its_setup_knows() -> None:
    from demo.site import HOSTS  # noqa: PLC0415 - the demo's own code is looked at here alone

    for name, (last, _, machines) in HOSTS.items():
        assert SERVICES[name]["networks"]["site"]["ipv4_address"].endswith(f".{last}")
        assert SERVICES[name]["environment"]["VMS"].split() == list(machines)
        assert SERVICES[name]["environment"]["HOST"] == name
