from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.exec_template import (
    VARIABLES,
    TemplateError,
    allowed_program,
    parse_template,
    template_variables,
)

THE_REQUESTS_OWN = (
    "$IPMI_EXEC --username $IPMI_Username --password  $IPMI_password   --command $IPMI_ACTION --host $IPMI_HOST"
)
VALUES = {name: name.upper() for name in VARIABLES}


def test_the_requests_own_line() -> None:
    template = parse_template(THE_REQUESTS_OWN)
    assert template.names_program_first
    assert template.variables == {"exec", "username", "password", "action", "host"}
    assert template.fill(VALUES) == (
        *("EXEC", "--username", "USERNAME", "--password", "PASSWORD"),
        *("--command", "ACTION", "--host", "HOST"),
    )
    assert parse_template(f"“{THE_REQUESTS_OWN}”") == template


@given(st.text(max_size=30))
def test_any_value_stays_one_word(value: str) -> None:
    filled = parse_template("$EXEC -p $IPMI_PASSWORD --user=$USERNAME").fill(
        {**VALUES, "password": value, "username": value}
    )
    assert filled == ("EXEC", "-p", value, f"--user={value}")


@pytest.mark.parametrize("value", ["-rf", "a b", '"', "'", "$(reboot)", "`id`", "; id", "$IPMI_HOST", "\\", "*", ""])
def test_what_a_shell_would_take_apart_stays_one_word(value: str) -> None:
    assert parse_template("$EXEC '$PASSWORD' x").fill({**VALUES, "password": value}) == ("EXEC", value, "x")


def test_variables_in_every_way_of_writing() -> None:
    words = parse_template("${IPMI_EXEC}x ${host}:$Port a$$b 'two words' ''").fill(VALUES)
    assert words == ("EXECx", "HOST:PORT", "a$b", "two words", "")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('$EXEC "a', "quotes are not balanced"),
        ("$EXEC a\\", "quotes are not balanced"),
        ("$EXEC $IPMI_COLOUR", "$IPMI_COLOUR is not known; use $IPMI_ACTION"),
        ("$EXEC ${HOME}", "$HOME is not known"),
        ("$EXEC $IPMI_HOSTNAME", "$IPMI_HOSTNAME is not known"),
        ("$EXEC $(cat /etc/passwd)", "write $$ for the sign itself"),
        ("$EXEC 5$", "write $$"),
        ("$EXEC ${HOST", "write $$"),
    ],
)
def test_what_can_not_be_read_is_refused(text: str, remedy: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text)
    assert remedy in str(caught.value)
    assert template_variables(text) == frozenset()


def test_the_program_comes_first() -> None:
    assert not parse_template("").names_program_first
    assert not parse_template("sudo $IPMI_EXEC").names_program_first
    assert not parse_template("$IPMI_EXEC.sh").names_program_first


class TestAllowedPrograms:
    ALLOWED = (PurePosixPath("/usr/sbin/fence_apc"), PurePosixPath("/opt/a/power"), PurePosixPath("/opt/b/power"))

    def test_by_path_or_by_a_name_that_is_the_only_one(self) -> None:
        assert allowed_program("fence_apc", self.ALLOWED) == self.ALLOWED[0]
        assert allowed_program("/opt/b/power", self.ALLOWED) == self.ALLOWED[2]
        assert allowed_program("power", (*self.ALLOWED[:2], self.ALLOWED[1])) == self.ALLOWED[1]

    @pytest.mark.parametrize("name", ["/usr/sbin/../sbin/fence_apc", "sbin/fence_apc", "/bin/sh", "sh", "", "."])
    def test_anything_else_is_refused(self, name: str) -> None:
        with pytest.raises(TemplateError, match="HOSTFENCE_EXEC_ALLOWED"):
            allowed_program(name, self.ALLOWED)

    def test_an_ambiguous_name_is_refused(self) -> None:
        with pytest.raises(TemplateError, match="ambiguous; write one of /opt/a/power, /opt/b/power"):
            allowed_program("power", self.ALLOWED)

    def test_nothing_is_allowed_at_first(self) -> None:
        with pytest.raises(TemplateError, match="lists none yet"):
            allowed_program("ipmitool", ())
