"""Possible values for every setting, made from the catalogue itself."""

from typing import Any

from hypothesis import strategies as st

from controller.domain.catalogue import CATALOGUE, Kind, Setting
from controller.domain.model import Level, SettingRow

CLUSTER, HOST = "cluster-1", "host-1"
OWNERS = {Level.GLOBAL: "", Level.CLUSTER: CLUSTER, Level.HOST: HOST}

channel = st.fixed_dictionaries(
    {
        "name": st.text("abc", min_size=1, max_size=5),
        "kind": st.just("email"),
        "host": st.just("mail.example.org"),
        "sender": st.just("hostfence@example.org"),
        "recipients": st.lists(st.sampled_from(["a@example.org", "b@example.org"]), min_size=1, max_size=3),
    },
    optional={
        "port": st.integers(1, 65535),
        "tls": st.sampled_from(["none", "starttls", "tls"]),
        "username": st.text("xyz", max_size=4),
        "password": st.text("xyz", max_size=4),
        "min_severity": st.sampled_from(["info", "warning", "critical"]),
    },
)


def values_of(setting: Setting) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911 - one line for each kind
    match setting.kind:
        case Kind.DURATION:
            whole = st.integers(int(setting.minimum), int(setting.maximum))
            return whole | st.floats(setting.minimum, setting.maximum)
        case Kind.INTEGER:
            return st.integers(int(setting.minimum), int(setting.maximum))
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.CHOICE:
            return st.sampled_from(setting.choices)
        case Kind.TEXT:
            return st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=40)
        case Kind.ADDRESS:
            return st.sampled_from(["", "10.0.0.5", "BMC7.Example.org.", "2001:DB8::7"]) | st.ip_addresses().map(str)
        case Kind.TEMPLATE:
            return st.sampled_from(["", "$IPMI_EXEC --host $ipmi_Host", "${IPMI_EXEC} -a $IPMI_ACTION"])
        case Kind.STATE_MAP:
            states = st.sampled_from(["on", "off", "unknown"])
            return st.dictionaries(st.text("0129abc .*é", min_size=1), states, max_size=4)
        case Kind.CERTIFICATES:
            return st.sampled_from(["", "-----BEGIN CERTIFICATE-----\r\nAA==\r\n-----END CERTIFICATE-----\r\n"])
        case Kind.CHANNELS:
            return st.lists(channel, max_size=3, unique_by=lambda one: one["name"])


@st.composite
def rows(draw: st.DrawFn, field: str | None = None) -> SettingRow:
    """One row that may be saved."""
    setting = CATALOGUE[field or draw(st.sampled_from(sorted(CATALOGUE)))]
    level = draw(st.sampled_from([one for one in Level if one in setting.levels]))
    value = draw(values_of(setting))
    if level is Level.HOST and setting.host_choices:
        value = setting.host_choices[0]
    return SettingRow(level=level, owner_id=OWNERS[level], field=setting.name, value=value)


def unique(written: list[SettingRow]) -> list[SettingRow]:
    return list({(row.level, row.field): row for row in written}.values())
