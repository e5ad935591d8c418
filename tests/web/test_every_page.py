"""Every page of the navigation, an incident, a host and settings, for every role, with the navigation and in a frame.

The console (the content security policy speaks there) is watched by the window itself.
"""

import pytest

from controller.domain.model import Role
from controller.web.navigation import sections_for
from tests.web import a_story, test_host_page
from tests.web.conftest import OpenWindow, Window
from tests.web.site import Site

LINKS = """() => {
  const found = [];
  for (const [kind, name] of [["a", "href"], ["form", "action"], ["[hx-get]", "hx-get"], ["[hx-post]", "hx-post"],
                              ["script", "src"], ["link", "href"], ["use", "href"]])
    for (const one of document.querySelectorAll(kind))
      if (one.hasAttribute(name)) found.push(new URL(one.getAttribute(name), location.href).href);
  return found;
}"""
MORE = (
    "/account",
    "/incidents/i1",
    "/incidents/i1/timeline",
    "/hosts/h1",
    "/hosts/h1/settings",
    "/clusters/c1/settings",
)
ASKED = {
    Role.VIEWER: (),
    Role.OPERATOR: (
        "/pauses/new",
        "/incidents/i1/cancel",
        "/incidents/i1/retry",
        "/hosts/h1/power/off",
        "/hosts/h1/test",
    ),
    Role.ADMIN: ("/pauses/new", "/incidents/i1/acknowledge", "/hosts/h1/power/on"),
}
"""Pages that ask before something is done."""


async def furnish(site: Site) -> None:
    await a_story.neighbors(site)
    await a_story.held_for_a_day(await site.now(), rounds=40).store(site)
    await test_host_page.heartbeat(site, moved_age=2.0)


async def check(window: Window, path: str) -> None:
    """Accessible, and no link that leaves the face."""
    page = await window.goto(path)
    await page.locator("h1").first.wait_for()
    if path == "/hosts/h1":
        await page.get_by_text("If it died now").wait_for()
    await window.check_accessible()
    outside = (f"{window.site.url}/docs",) if window.prefix == "/ui" else ()
    inside = (f"{window.site.url}{window.prefix}/", *outside)
    links = await page.evaluate(LINKS)
    assert len(links) > 5
    assert [one for one in links if not one.startswith(inside)] == [], path
    assert await page.get_by_role("navigation", name="Main").count() == (0 if window.prefix == "/embed" else 1)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
@pytest.mark.parametrize("prefix", ["/ui", "/embed"])
async def test_every_page_is_sound_for_everybody(site: Site, open_window: OpenWindow, role: Role, prefix: str) -> None:
    await furnish(site)
    window = await open_window(role, prefix=prefix)
    if role is Role.ADMIN:
        window.allow("status of 409")  # nobody can look at the host here, so that the acknowledgement is refused
    for path in (*(section.path for section in sections_for(role)), *MORE, *ASKED[role]):
        await check(window, path)


async def test_no_page_of_a_site_without_clusters_leaves_the_frame(open_window: OpenWindow) -> None:
    window = await open_window(Role.ADMIN, prefix="/embed")
    for path in ("/", "/incidents", "/settings"):
        await check(window, path)


async def test_what_fails_stays_in_the_frame(site: Site, open_window: OpenWindow) -> None:
    await site.add_cluster("c1")
    window = await open_window(Role.VIEWER, prefix="/embed")
    window.allow("status of 40[34]")
    for path in ("/go/host/unknown", "/incidents/unknown", "/nowhere", "/pauses/new"):
        await check(window, path)
