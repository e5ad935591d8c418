import re

import pytest

from controller.domain.exec_presets import command_of
from controller.domain.exec_template import TemplateError, parse_template
from controller.domain.fence_agents import Agent, AgentError, agent_lines, bad_line, bad_value, cannot, parse_metadata
from controller.domain.power import PowerAction

METADATA = """<?xml version="1.0" ?>
<resource-agent name="fence_x" shortdesc="x">
<parameters>
  <parameter name="ip" unique="0"><content type="string" /></parameter>
  <parameter name="ipaddr" unique="0"><content type="string" /></parameter>
  <parameter name="ipport"><content type="integer" default="22" /></parameter>
  <parameter name="username"><content type="string" /></parameter>
  <parameter name="password"><content type="string" /></parameter>
  <parameter name="plug"><content type="string" /></parameter>
  <parameter name="ssl"><content type="boolean" /></parameter>
  <parameter name="odd" />
</parameters>
<actions><action name="on" automatic="0"/><action name="off"/><action name="status"/></actions>
</resource-agent>
"""
VALUES = {
    "host": "10.0.0.9",
    "port": "623",
    "username": "admin",
    "password": 'pass "word" $HOST',
    "plug": "",
    "nodename": "kvm7",
    "cipher": "17",
}


def test_metadata_is_read() -> None:
    agent = parse_metadata(f"\n{METADATA}\n")
    assert agent.actions == {"on", "off", "status"}
    assert agent.parameters["ssl"] == "boolean"
    assert agent.parameters["odd"] == ""
    assert agent.key("host") == "ip"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "usage: fence_x",
        "<html/>",
        METADATA.replace("<parameters>", '<!DOCTYPE x [<!ENTITY a "aaaa">]><parameters>'),
    ],
)
def test_anything_else_is_no_metadata(text: str) -> None:
    with pytest.raises(AgentError):
        parse_metadata(text)


def test_lines_always_have_the_action_and_the_hosts_name() -> None:
    command = command_of(
        [("preset", "fence-agent"), ("exec", "fence_x"), ("syntax", "ssl=1 cipher=$IPMI_CIPHER ip=::1")]
    )
    assert agent_lines(parse_metadata(METADATA), command, VALUES, action="off") == (
        *("action=off", "nodename=kvm7", "ip=::1", "username=admin", 'password=pass "word" $HOST'),
        *("ssl=1", "cipher=17"),
    )


def test_old_agents_have_other_words_and_ports_only_where_they_are_not_the_usual_one() -> None:
    old = Agent(actions=frozenset(), parameters={"ipaddr": "", "ipport": "", "login": "", "passwd": "", "port": ""})
    command = command_of([("preset", "fence-agent")])
    lines = agent_lines(old, command, {**VALUES, "port": "22", "plug": "3"}, action="status")
    assert lines == (
        *("action=status", "nodename=kvm7", "ipaddr=10.0.0.9", "ipport=22", "login=admin"),
        *('passwd=pass "word" $HOST', "port=3"),
    )


def test_only_the_ipmi_agents_are_made_to_say_why_a_login_failed() -> None:
    command = command_of([("preset", "fence-agent"), ("exec", "fence_ilo4")])
    assert "verbose_level=2" in agent_lines(parse_metadata(METADATA), command, VALUES, action="off")


def test_a_word_that_is_no_line() -> None:
    command = command_of([("preset", "fence-agent"), ("syntax", "--ssl")])
    with pytest.raises(TemplateError, match="lanplus=1"):
        agent_lines(parse_metadata(METADATA), command, VALUES, action="off")


@pytest.mark.parametrize(
    ("syntax", "fault"),
    [
        ("", ""),
        ("ssl=1 ssl=on ip=$IPMI_HOST", ""),
        ("ssl", "'ssl' is no key=value"),
        ("=1", "no key=value"),
        ("ssl=maybe", "the agent ignores 'maybe'"),
        ("colour=red", "no parameter 'colour'; it has odd, ssl"),
        ("action=off", "given by hostfence"),
    ],
)
def test_the_operators_own_lines(syntax: str, fault: str) -> None:
    said = bad_line(parse_metadata(METADATA), parse_template(syntax))
    assert bool(said) is bool(fault)
    assert fault in said


def test_what_an_agent_can_not_do() -> None:
    command = command_of([("preset", "fence-agent"), ("action_status", "monitor")])
    wanted = (PowerAction.STATUS, PowerAction.OFF, PowerAction.BLINK)
    assert cannot(parse_metadata(METADATA), command, wanted) == ("monitor", "blink")


def test_values_that_an_agent_would_change() -> None:
    assert bad_value("a b") == bad_value('"') == bad_value('a"b') == bad_value("") == ""
    assert "blanks" in bad_value(" a")
    assert "quotes" in bad_value('"a"')


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("ipmitool_path=/tmp/mine", "names a program for the agent to run"),
        ("openstack-path=/tmp/mine", "names a program for the agent to run"),
        ("password_script=/tmp/mine", "names a program for the agent to run"),
        ("exec=/tmp/mine", "names a program for the agent to run"),
        ("runonfail=/tmp/mine", "names a program for the agent to run"),
        ("debug_file=/etc/cron.d/mine", "passwords included"),
        ("debug=/etc/cron.d/mine", "passwords included"),
        ("missing_as_off=1", "can't find for one without power"),
        ("'ssh_options=-oProxyCommand=/tmp/mine'", "may only hold words like -oKexAlgorithms"),
        ("'ssh_options=-oCiphers=aes128-cbc -F /tmp/mine'", "may only hold words like -oKexAlgorithms"),
        ("'ssh_options=-oCiphers'", "may only hold words like -oKexAlgorithms"),
    ],
)
def test_settings_name_no_program_no_file_and_no_guess(word: str, remedy: str) -> None:
    """What may run is the controller's own list: not even by way of an agent that is on it."""
    known = dict.fromkeys(("ipmitool_path", "openstack-path", "password_script", "exec", "runonfail"), "string")
    agent = Agent(
        actions=frozenset({"off"}),
        parameters=known | dict.fromkeys(("debug", "debug_file", "missing_as_off", "ssh_options"), "string"),
    )
    assert remedy in bad_line(agent, parse_template(word))
    command = command_of([("preset", "fence-agent"), ("exec", "fence_x"), ("syntax", word)])
    with pytest.raises(TemplateError, match=re.escape(remedy)):
        agent_lines(agent, command, VALUES, action="off")


@pytest.mark.parametrize(
    "word", ["api_path=/ovirt", "'ssh_options=-oKexAlgorithms=+diffie-hellman-group1-sha1 -oCiphers=aes128-cbc'"]
)
def test_what_only_says_how_to_speak_is_fine(word: str) -> None:
    agent = Agent(actions=frozenset({"off"}), parameters={"api_path": "string", "ssh_options": "string"})
    assert bad_line(agent, parse_template(word)) == ""


@pytest.mark.parametrize(("parameter", "shows"), [("lanplus", True), ("snmp_version", True), ("ssl", False)])
def test_who_runs_ipmitool_or_snmpget_is_known_by_its_parameters(parameter: str, *, shows: bool) -> None:
    assert Agent(actions=frozenset(), parameters={parameter: "string"}).shows_password is shows
