"""The pages that stand in the navigation, in order. A page names its section when it is rendered."""

from dataclasses import dataclass

from controller.domain.model import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """``name`` is what a page calls its section; ``roles`` may see it."""

    name: str
    label: str
    path: str
    icon: str
    roles: frozenset[Role] = frozenset(Role)


SECTIONS = (
    Section(name="overview", label="Overview", path="/", icon="grid"),
    Section(name="incidents", label="Incidents", path="/incidents", icon="alert"),
    Section(name="notifications", label="Notifications", path="/notifications", icon="bell"),
    Section(name="settings", label="Settings", path="/settings", icon="gear"),
    Section(name="access", label="Access", path="/access", icon="key", roles=frozenset({Role.ADMIN})),
    Section(name="audit", label="Audit", path="/audit", icon="list"),
)


def sections_for(role: Role) -> tuple[Section, ...]:
    """Those that somebody of this role may see."""
    return tuple(section for section in SECTIONS if role in section.roles)
