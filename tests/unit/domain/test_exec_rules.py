import json
from typing import Any

import pytest

from controller.domain.inheritance import check_combination
from controller.domain.policy import Action, BmcSettings, Policy

LITERAL = "$IPMI_EXEC --username $IPMI_Username --password  $IPMI_password   --command $IPMI_ACTION --host $IPMI_HOST"
PLAIN: dict[str, Any] = {"exec": "power", "syntax": "$IPMI_EXEC $IPMI_ACTION", "action_stop": "off"}


def policy(action: Action = Action.OFF, /, *, host: str = "10.0.0.9", **options: Any) -> Policy:
    bmc: dict[str, Any] = {
        name: options.pop(name) for name in ("username", "password", "plug", "driver") if name in options
    }
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    given: dict[str, Any] = {"driver": "exec", "host": host, **bmc}
    settings = BmcSettings(**given, options=tuple(sorted(written.items())))
    return Policy(action=action, bmc=settings)


@pytest.mark.parametrize(
    "good",
    [
        policy(preset="ipmitool"),
        policy(Action.BLINK, preset="ipmitool"),
        policy(Action.REBOOT, preset="script", exec="power"),
        policy(Action.REBOOT, preset="fence-agent", exec="fence_apc", password="a b"),
        policy(Action.NONE, exec="power", syntax="$IPMI_EXEC"),
        policy(**PLAIN),
        policy(**{**PLAIN, "syntax": LITERAL}, unsafe_password_in_argv=True),
        policy(**{**PLAIN, "syntax": LITERAL}, unsafe_password_in_argv=True, secret_via="argv"),
        policy(preset="ipmitool", secret_via="file", syntax="$IPMI_EXEC -f $IPMI_PASSWORD_FILE $IPMI_ACTION"),
        policy(host="", preset="fence-agent"),
        policy(host=""),
        policy(driver="ipmi", secret_via="stdin"),
        policy(preset="fence-agent", exec="fence_ilo4", unsafe_password_in_argv=True),
        policy(preset="fence-agent", exec="fence_apc", syntax="passwd=$IPMI_PASSWORD"),
    ],
)
def test_what_makes_sense(good: Policy) -> None:
    assert check_combination(good) == ()


@pytest.mark.parametrize(
    ("bad", "field", "remedy"),
    [
        (policy(preset="script"), "ipmi.exec", "name the program"),
        (policy(exec="power"), "ipmi.syntax", "choose an ipmi.preset"),
        (policy(exec="power", syntax="power -x"), "ipmi.syntax", "begin with $IPMI_EXEC"),
        (policy(exec="power", syntax="$IPMI_EXEC"), "ipmi.action_stop", "the action off needs it"),
        (policy(Action.REBOOT, **PLAIN), "ipmi.action_start", "the action reboot needs it"),
        (policy(Action.BLINK, preset="fence-agent", exec="fence_apc"), "ipmi.action_blink", "choose another action"),
        (policy(**{**PLAIN, "syntax": LITERAL}), "ipmi.syntax", "every local user"),
        (policy(**PLAIN, secret_via="argv"), "ipmi.secret_via", "every local user"),
        (policy(**PLAIN, secret_via="argv", unsafe_password_in_argv=True), "ipmi.secret_via", "put $IPMI_PASSWORD"),
        (policy(preset="ipmitool", secret_via="stdin"), "ipmi.secret_via", "reads the environment"),
        (policy(preset="fence-agent", exec="fence_apc", secret_via="env"), "ipmi.secret_via", "standard input"),
        (policy(preset="fence-agent", exec="/usr/sbin/fence_ipmilan"), "ipmi.exec", "ipmi.unsafe_password_in_argv"),
        (policy(preset="ipmitool", password="x" * 21), "ipmi.password", "at most 20 bytes"),
        (policy(preset="ipmitool", username="x" * 17), "ipmi.username", "at most 16 bytes"),
        (policy(preset="fence-agent", exec="fence_apc", password=" x"), "ipmi.password", "blanks"),
        (policy(preset="fence-agent", exec="fence_apc", plug='"1"'), "ipmi.plug", "quotes"),
        (policy(preset="fence-agent", exec="fence_virt", username="é" * 125), "ipmi.username", "lines of 255 bytes"),
    ],
)
def test_what_does_not_is_refused_with_field_and_remedy(bad: Policy, field: str, remedy: str) -> None:
    (problem,) = check_combination(bad)
    assert problem.field == field
    assert remedy in problem.remedy
    assert field != "ipmi.password" or not problem.shown
