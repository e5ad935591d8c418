import pytest

from controller.domain.model import Role
from controller.services.users import create_user, disable_user
from tests.web.conftest import OpenWindow, Window
from tests.web.site import PASSWORD, Site

STATUS = "Failed to load resource"
"""What the console says of an answer that is no success."""


async def by_password(window: Window, name: str, password: str) -> None:
    await window.page.get_by_label("Name").fill(name)
    await window.page.get_by_label("Password").fill(password)
    await window.page.get_by_role("button", name="Sign in", exact=True).click()


async def test_a_deep_link_is_come_back_to_after_signing_in(site: Site, open_window: OpenWindow) -> None:
    window = await open_window()
    await site.add_cluster("c1")
    await site.add_host("h1", external_id="5f7c-uuid")
    page = await window.goto("/go/host/5f7c-uuid")
    await window.check_accessible()
    await window.pictures("sign-in")
    await by_password(window, "operator", PASSWORD)
    await page.wait_for_url("**/ui/hosts/h1")
    assert await page.get_by_role("heading", name="host h1").is_visible()


async def test_a_wrong_password_and_an_unknown_name_look_the_same(open_window: OpenWindow) -> None:
    window = await open_window()
    window.allow(STATUS)
    await window.goto("/sign-in")
    said = []
    for name in ("admin", "nobody"):
        await by_password(window, name, "not the password")
        await window.page.wait_for_load_state()
        said.append(await window.page.get_by_role("alert").filter(has_text="wrong").inner_text())
    assert said == ["Name or password is wrong."] * 2
    await window.check_accessible()


async def test_a_token_that_is_no_good_opens_its_form_again(open_window: OpenWindow) -> None:
    window = await open_window()
    window.allow(STATUS)
    page = await window.goto("/sign-in")
    await page.get_by_text("With a token instead").click()
    await page.get_by_label("API token").fill("hf_no-such-token")
    await page.get_by_role("button", name="Sign in with the token").click()
    await page.wait_for_load_state()
    assert await page.get_by_label("API token").is_visible()
    assert "hf_no-such-token" not in await page.content()


async def test_a_reporter_may_not_look(site: Site, open_window: OpenWindow) -> None:
    window = await open_window()
    window.allow(STATUS)
    page = await window.goto("/sign-in")
    await page.get_by_text("With a token instead").click()
    await page.get_by_label("API token").fill(site.tokens[Role.REPORTER])
    await page.get_by_role("button", name="Sign in with the token").click()
    await page.get_by_text("may not look at anything").wait_for()


async def test_signing_out_ends_the_session_and_not_only_the_cookie(site: Site, admin: Window) -> None:
    cookies = await admin.context.cookies()
    [session] = [one for one in cookies if one["name"] == "hostfence"]
    assert (session["httpOnly"], session["sameSite"], session["secure"]) == (True, "Lax", False)
    page = await admin.goto("/")
    await page.locator("summary", has_text="the admin").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("You are signed out.").wait_for()
    await admin.context.add_cookies([{"name": "hostfence", "value": session["value"], "url": site.url}])
    await admin.goto("/")
    assert "/ui/sign-in" in page.url


async def test_signed_out_everywhere_the_other_window_is_told(open_window: OpenWindow) -> None:
    one, other = await open_window(Role.VIEWER), await open_window(Role.VIEWER)
    other.allow(f"{STATUS}|Response Status Error Code 401")
    await other.live()
    page = await one.goto("/account")
    await one.check_accessible()
    await one.pictures("account")
    await page.get_by_role("button", name="Sign out everywhere").click()
    await page.get_by_text("2 sessions ended").wait_for()
    await other.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await other.page.get_by_text("You are not signed in any more").wait_for()


async def test_a_user_changes_the_password_and_is_signed_out(site: Site, open_window: OpenWindow) -> None:
    await create_user(site.store, site.clock, name="ada", role=Role.VIEWER, password=PASSWORD, actor="test")
    window = await open_window()
    window.allow(STATUS)
    page = await window.goto("/sign-in?next=/account")
    await by_password(window, "ada", PASSWORD)
    await page.wait_for_url("**/account")
    for current, new in (("wrong", "another six words for it"), (PASSWORD, "another six words for it")):
        await page.get_by_label("Current password").fill(current)
        await page.get_by_label("New password", exact=True).fill(new)
        await page.get_by_label("New password again").fill(new)
        await page.get_by_role("button", name="Change it").click()
        await page.wait_for_load_state()
    await page.get_by_text("Your password is changed").wait_for()
    await by_password(window, "ada", "another six words for it")
    await page.wait_for_url("**/ui/")
    await disable_user(site.store, site.clock, "ada", actor="test")
    await window.goto("/")
    assert "/ui/sign-in" in page.url


@pytest.mark.parametrize("path", ["/", "/incidents", "/hosts/h1", "/account"])
async def test_nobody_sees_anything_without_signing_in(site: Site, open_window: OpenWindow, path: str) -> None:
    await site.add_cluster("c1")
    await site.add_host("h1", name="kvm-secret-name")
    window = await open_window()
    page = await window.goto(path)
    assert "/ui/sign-in" in page.url
    assert "kvm-secret-name" not in await page.content()
