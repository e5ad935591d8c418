"""Power devices that can't work are refused when they are saved: which field, what is wrong with it, what to write."""

from pathlib import Path
from typing import Any

import pytest

from controller.domain.exec_presets import IPMI_PASSWORD_BYTES
from controller.power.drivers.fence_agent import AgentShelf
from controller.services.device_rules import DeviceRules
from tests.contracts.exec_rigs import write_program
from tests.integration.api.conftest import Api

LITERAL = "$IPMI_EXEC --username $IPMI_Username --password  $IPMI_password   --command $IPMI_ACTION --host $IPMI_HOST"
_METADATA = """\
#!/bin/sh
[ "$*" = "-o metadata" ] || exit 1
cat <<END
<?xml version="1.0" ?>
<resource-agent name="fence_{name}" shortdesc="x">
<parameters><parameter name="ip"><content type="string" /></parameter>
<parameter name="ssl"><content type="boolean" /></parameter>
<parameter name="ssh_path"><content type="string" /></parameter></parameters>
<actions>{actions}</actions>
</resource-agent>
END
"""


@pytest.fixture
def device_rules(tmp_path: Path) -> DeviceRules:
    """Two agents of its own, a program, and one that nobody may execute."""
    programs = [write_program(tmp_path / "power", "#!/bin/sh\n")]
    for name, able in (("off_only", ("off", "status")), ("blind", ("off", "on"))):
        actions = "".join(f'<action name="{action}"/>' for action in able)
        program = write_program(tmp_path / f"fence_{name}", _METADATA.format(name=name, actions=actions))
        programs.append(program)
    plain = tmp_path / "plain"
    plain.write_text("no program")
    shelf = AgentShelf()
    drivers = frozenset({"ipmi", "exec", "redfish"})
    return DeviceRules(drivers=drivers, exec_allowed=(*programs, plain), read_agent=shelf.agent)


def plain(**more: Any) -> dict[str, Any]:
    return {f"ipmi.{name}": value for name, value in more.items()}


def by_exec(**more: Any) -> dict[str, Any]:
    return plain(
        **{"driver": "exec", "exec": "power", "syntax": "$IPMI_EXEC $IPMI_ACTION", "action_stop": "off", **more}
    )


BAD = {
    "unknown variable": (by_exec(syntax="$IPMI_EXEC $IPMI_COLOUR"), "ipmi.syntax", "use $IPMI_ACTION"),
    "unbalanced quotes": (by_exec(syntax='$IPMI_EXEC "$IPMI_ACTION'), "ipmi.syntax", "quotes are not balanced"),
    "newline in a password": (plain(password="hun\nter2"), "ipmi.password", "leave out line breaks"),
    "NUL in a password": (plain(password="hun\0ter2"), "ipmi.password", "leave out line breaks"),
    "too long a password": (
        plain(password="hunter2" * 3),
        "ipmi.password",
        f"at most {IPMI_PASSWORD_BYTES} bytes",
    ),
    "too long a user": (plain(username="u" * 17), "ipmi.username", "at most 16 bytes"),
    "a program that is not on the list": (by_exec(exec="/bin/sh"), "ipmi.exec", "HOSTFENCE_EXEC_ALLOWED"),
    "a program that can't be executed": (by_exec(exec="plain"), "ipmi.exec", "is not executable"),
    "an action that no word is there for": (
        by_exec(action_stop=""),
        "ipmi.action_stop",
        "write what the device calls it",
    ),
    "an action that the agent lacks": (
        {**plain(driver="exec", preset="fence-agent", exec="fence_off_only"), "action": "reboot"},
        "ipmi.exec",
        "has no action on",
    ),
    "an agent that can't read the state": (
        plain(driver="exec", preset="fence-agent", exec="fence_blind"),
        "ipmi.exec",
        "can't prove a host off",
    ),
    "a switch that the agent ignores": (
        plain(driver="exec", preset="fence-agent", exec="fence_off_only", syntax="ssl=maybe"),
        "ipmi.syntax",
        "write 1 or 0",
    ),
    "a program by way of the agent": (
        plain(driver="exec", preset="fence-agent", exec="fence_off_only", syntax="ssh_path=/tmp/mine"),
        "ipmi.syntax",
        "names a program for the agent to run",
    ),
    "the password in a command line": (by_exec(syntax=LITERAL), "ipmi.syntax", "every local user can read it"),
    "a driver that nobody has": (plain(driver="telepathy"), "ipmi.driver", "this controller has exec, ipmi, redfish"),
    "a state that is none": (plain(state_map={"0": "maybe"}), "ipmi.state_map", "on, off, unknown"),
    "plain HTTP": (plain(driver="redfish", tls="plain"), "ipmi.tls", "for labs only"),
}


@pytest.mark.parametrize("trouble", BAD)
async def test_is_refused_with_field_and_remedy_and_nothing_is_saved(site: Api, trouble: str) -> None:
    body, field, remedy = BAD[trouble]
    await site.ok("PATCH", "/hosts/a/settings", json={"ipmi.host": "10.0.0.7"})
    await site.ok("PATCH", "/clusters/kvm/settings", json={"action": "off"})
    answer = await site.call("PATCH", "/clusters/kvm/settings", json=body)
    told = answer.json()
    assert (answer.status_code, told["field"]) == (422, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert remedy in told["detail"]
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert await site.ok("GET", "/clusters/kvm/settings") == {"action": "off"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "169.254.0.3", "fe80::1", "224.0.0.1"])
async def test_an_address_that_no_device_has(site: Api, address: str) -> None:
    for field in ("ipmi.host", "second.host"):
        answer = await site.call("PATCH", "/hosts/a/settings", json={field: address})
        told = answer.json()
        assert (answer.status_code, told["code"], told["field"]) == (422, "bmc_address_refused", field)
        assert "write the address of the host's power device" in told["detail"]
    assert await site.ok("GET", "/hosts/a/settings") == {}


async def test_the_same_device_for_two_hosts_or_twice_for_one(site: Api) -> None:
    await site.ok("PATCH", "/hosts/a/settings", json={"ipmi.host": "10.0.0.7"})
    answer = await site.call("PATCH", "/hosts/b/settings", json={"second.host": "10.0.0.7", "ipmi.host": "10.0.0.8"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (409, "bmc_shared", "ipmi.host")
    assert "give each its own" in answer.json()["detail"]
    answer = await site.call("PATCH", "/hosts/a/settings", json={"second.host": "10.0.0.7"})
    assert (answer.status_code, answer.json()["field"]) == (422, "second.host")


async def test_the_requests_own_line_with_the_unsafe_setting_is_saved_as_it_stands(site: Api) -> None:
    words = {"action_stop": "power off", "action_start": "power on", "action_reboot": "power reset"}
    more = {"action_blink": "chassis identify", "action_test": "mc info", "unsafe_password_in_argv": True}
    saved = await site.ok("PATCH", "/clusters/kvm/settings", json=by_exec(**{**words, **more, "syntax": LITERAL}))
    assert saved["ipmi.syntax"] == LITERAL
    assert [saved[f"ipmi.{name}"] for name in words] == list(words.values())
