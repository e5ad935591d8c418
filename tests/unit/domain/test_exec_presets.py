import json

import pytest

from controller.domain.exec_presets import Preset, SecretVia, command_of, proves
from controller.domain.policy import BmcSettings
from controller.domain.power import PowerAction


def bmc(driver: str = "exec", **options: str) -> BmcSettings:
    return BmcSettings(driver=driver, host="10.0.0.9", options=tuple(sorted(options.items())))


def test_a_preset_gives_everything() -> None:
    command = command_of([("preset", "ipmitool"), ("privilege", "operator"), ("cipher", "auto")])
    assert (command.program, command.secret_via, command.cipher) == ("ipmitool", SecretVia.ENV, "auto")
    assert command.speaks_ipmi
    assert command.reads_state
    status = command.template_for(PowerAction.STATUS)
    assert "password" not in status.variables
    assert command.words[PowerAction.REBOOT] == "reset"
    assert len(command.templates) == 3


def test_a_destructive_command_of_ipmitool_is_tried_once() -> None:
    command = command_of([("preset", "ipmitool")])
    for action in (PowerAction.OFF, PowerAction.REBOOT, PowerAction.ON, PowerAction.BLINK):
        words = "".join(piece.text + " " for word in command.template_for(action).words for piece in word)
        assert "-R 1 -E" in words
        assert ("identify" in words) is (action is PowerAction.BLINK)


def test_whatever_is_written_overrides_the_preset() -> None:
    command = command_of(
        [
            ("preset", "ipmitool"),
            ("exec", "/opt/ipmitool"),
            ("syntax", "$IPMI_EXEC $IPMI_ACTION"),
            ("action_stop", "power soft"),
            ("action_test", "ping"),
            ("state_map", json.dumps({"0": "off"})),
            ("secret_via", "file"),
            ("cipher", "3"),
            ("privilege", "administrator"),
            ("action_start", ""),
        ]
    )
    assert command.program_name == "ipmitool"
    assert (command.syntax, command.other_syntax) == ("$IPMI_EXEC $IPMI_ACTION", {})
    assert command.words[PowerAction.OFF] == "power soft"
    assert command.words[PowerAction.ON] == "on"
    assert command.words[PowerAction.TEST] == "ping"
    assert command.state_map == {"0": "off"}
    assert (command.secret_via, command.cipher, command.privilege) == (SecretVia.FILE, "3", "administrator")


def test_without_a_preset_nothing_is_taken_for_granted() -> None:
    command = command_of([])
    assert (command.preset, command.program, command.syntax, dict(command.words)) == (Preset.PLAIN, "", "", {})
    assert command.secret_via is SecretVia.ENV


def test_an_agent_is_never_asked_to_reboot_by_itself() -> None:
    command = command_of([("preset", "fence-agent"), ("exec", "fence_apc"), ("syntax", "ssh=1")])
    assert set(command.words) == {PowerAction.OFF, PowerAction.ON, PowerAction.STATUS}
    assert command.secret_via is SecretVia.STDIN
    assert not command.speaks_ipmi


@pytest.mark.parametrize(
    ("settings", "proven"),
    [
        (bmc("ipmi"), True),
        (bmc("redfish"), True),
        (bmc(preset="ipmitool"), True),
        (bmc(preset="telepathy"), False),
        (bmc(preset="script", exec="x"), True),
        (bmc(preset="script", exec="x", state_map='{"0": "on"}'), False),
        (bmc(preset="fence-agent", exec="fence_apc"), True),
        (bmc(preset="fence-agent", exec="/usr/sbin/fence_kdump"), False),
        (bmc(preset="fence-agent", exec="fence_dummy"), False),
        (bmc(syntax="$IPMI_EXEC", action_stop="off", state_map='{"2": "off"}'), False),
        (bmc(syntax="$IPMI_EXEC", action_status="st", state_map='{"2": "off"}'), False),
        (bmc(syntax="$IPMI_EXEC", action_stop="off", action_status="st", state_map='{"2": "off"}'), True),
    ],
)
def test_what_can_prove_a_host_off(settings: BmcSettings, proven: object) -> None:
    assert proves(settings) is proven
