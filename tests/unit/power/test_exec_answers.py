"""Words of real programs (ipmitool 1.8.19 with -v, fence agents 4.12) in hostfence's words."""

import pytest

from controller.domain.exec_presets import ExecCommand, command_of
from controller.domain.power import Accepted, PowerCode
from controller.power.drivers.exec_answers import SAID_LIMIT, failure, redact, said
from controller.power.drivers.exec_run import Ending, Fate

IPMITOOL = command_of([("preset", "ipmitool")])
AGENT = command_of([("preset", "fence-agent"), ("exec", "fence_ipmilan")])
SCRIPT = command_of([("preset", "script"), ("exec", "x")])
PLAIN = command_of([("exec", "x")])
NO_SESSION = "Error: Unable to establish IPMI v2 / RMCP+ session"
CONTROL = "Set Chassis Power Control to Down/Off failed: "
NOISE = (
    "Loading IANA PEN Registry...\nRunning Get VSO Capabilities my_addr 0x20, transit 0, target 0x20\n"
    "Invalid completion code received: Invalid command\nDiscovered IPMB address 0x0\n"
)


def ended(err: str = "", *, out: str = "", code: int = 1) -> Ending:
    return Ending(fate=Fate.EXITED, exit_code=code, out=out, err=err)


@pytest.mark.parametrize(
    ("command", "text", "code", "accepted"),
    [
        (IPMITOOL, f"> RAKP 2 HMAC is invalid\n{NO_SESSION}", PowerCode.BAD_CREDENTIALS, Accepted.NOT_SENT),
        (
            IPMITOOL,
            f"RAKP 2 message indicates an error : unauthorized name\n{NO_SESSION}",
            "bad_credentials",
            "not_sent",
        ),
        (IPMITOOL, f"Set Session Privilege Level to OPERATOR failed\n{NO_SESSION}", "bad_credentials", "not_sent"),
        (IPMITOOL, f"message : insufficient resources for session\n{NO_SESSION}", "sessions_exhausted", "not_sent"),
        (IPMITOOL, f"message : invalid authentication algorithm\n{NO_SESSION}", "unsupported", "not_sent"),
        (IPMITOOL, f"{NOISE}{NO_SESSION}", "no_answer", "not_sent"),
        (IPMITOOL, "Address lookup for bmc7 failed", "no_answer", "not_sent"),
        (IPMITOOL, f"{NOISE}{CONTROL}Node busy", "busy", "no"),
        (IPMITOOL, f"{NOISE}{CONTROL}Command not supported in present state", "refused", "no"),
        (IPMITOOL, f"{CONTROL}Invalid command", "unsupported", "no"),
        (IPMITOOL, f"{CONTROL}Insufficient privilege level", "refused", "no"),
        (IPMITOOL, f"{CONTROL}Timeout", "refused", "unknown"),
        (IPMITOOL, f"{CONTROL}Unspecified error", "refused", "unknown"),
        (IPMITOOL, f"{NOISE}Unable to set Chassis Power Control to Down/Off", "timed_out", "unknown"),
        (IPMITOOL, "Segmentation fault", "driver_failed", "unknown"),
        (AGENT, "DEBUG: 1  > RAKP 2 HMAC is invalid\nERROR: Failed: Unable to obtain", "bad_credentials", "unknown"),
        (AGENT, "ERROR: Failed: Timed out waiting to power OFF", "timed_out", "unknown"),
        (AGENT, "ERROR: Unable to connect/login to fencing device", "no_answer", "unknown"),
        (AGENT, "ERROR: Failed: Unable to obtain correct plug status or plug is not available", "no_answer", "unknown"),
        (AGENT, "Traceback (most recent call last)", "driver_failed", "unknown"),
        (PLAIN, "RAKP 2 HMAC is invalid", "driver_failed", "unknown"),
    ],
)
def test_what_a_failure_tells(command: ExecCommand, text: str, code: PowerCode, accepted: Accepted) -> None:
    verdict = failure(command, ended(text))
    assert (verdict.code, verdict.accepted) == (code, accepted)


@pytest.mark.parametrize(
    ("number", "code", "accepted"),
    [
        (1, "driver_failed", "unknown"),
        (2, "driver_failed", "unknown"),
        (3, "refused", "no"),
        (4, "busy", "no"),
        (5, "bad_credentials", "not_sent"),
        (6, "no_answer", "not_sent"),
        (-15, "driver_failed", "unknown"),
    ],
)
def test_a_scripts_exit_codes(number: int, code: str, accepted: str) -> None:
    verdict = failure(SCRIPT, ended("node busy", code=number))
    assert (verdict.code, verdict.accepted) == (code, accepted)


def test_what_people_are_shown_is_one_short_line_without_noise() -> None:
    warning = "/usr/sbin/fence_ipmilan:5: DeprecationWarning: 'pipes' is deprecated\n  from pipes import quote\n"
    assert said(ended(f"{warning}{NOISE}\x1b[1mNode\n\tbusy", out="out"), password="x y") == "[1mNode busy out"
    long = said(ended("a" * 1000 + " the end"), password="")
    assert len(long) == SAID_LIMIT
    assert long.endswith("the end")


@pytest.mark.parametrize("form", ["p w'", "p%20w%27", "p+w%27", "'p w'\"'\"''", "cCB3Jw=="])
def test_the_password_in_any_form(form: str) -> None:
    assert redact(f"<{form}>", "p w'") == "<***>"
    assert redact("text", "") == "text"


def test_an_ending_keeps_what_was_printed_out_of_its_repr() -> None:
    assert "s3cret" not in repr(ended("s3cret", out="s3cret"))
