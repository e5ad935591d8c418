"""Users and tokens in the browser: made, changed, ended; a token's text is shown once; only admins come here."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator

from controller.domain.model import Role
from controller.services import access, users
from controller.services.sessions import Browser, sign_in_with_password
from tests.web.conftest import OpenWindow, Window
from tests.web.site import PASSWORD, Site

WORDS = "another six words for it"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def as_before(site: Site) -> AsyncIterator[None]:
    """Users and tokens outlive a test's emptying: what a test made is ended, and its names are never used again."""
    before = {one.id: one for one in await users.list_users(site.store)}
    tokens = {one.id for one in await access.list_tokens(site.store)}
    yield
    async with site.store.transaction() as tx:
        for one in before.values():
            await tx.save_user(one)
    for user in await users.list_users(site.store):
        if user.id not in before and user.disabled_at is None:
            await users.disable_user(site.store, site.clock, user.id, actor="test")
    for token in await access.list_tokens(site.store):
        if token.id not in tokens:
            await access.revoke_token(site.store, site.clock, token.id, actor="test")


def row(window: Window, section: str, name: str) -> Locator:
    table = window.page.get_by_role("region", name=section)
    return table.get_by_role("row").filter(has=window.page.get_by_role("rowheader", name=re.compile(f"^{name}")))


async def role_of(site: Site, name: str) -> Role:
    return next(one.role for one in await users.list_users(site.store) if one.name == name)


async def test_a_user_is_made_and_can_sign_in(site: Site, admin: Window) -> None:
    page = await admin.goto("/access")
    await admin.live()
    await admin.check_accessible()
    await admin.pictures("access")
    await page.get_by_role("link", name="New user").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("gerda")
    await dialog.get_by_label("operator").check()
    await dialog.get_by_label("Password").fill("short")
    admin.allow("status of 422")
    await dialog.get_by_role("button", name="Make the user").click()
    await dialog.get_by_text("must have 12 to 256 characters").wait_for()
    assert await dialog.get_by_label("Name").input_value() == "gerda"
    assert await dialog.get_by_label("operator").is_checked()
    assert await dialog.get_by_label("Password").input_value() == ""
    await admin.check_accessible()
    await admin.pictures("access-new-user")
    await dialog.get_by_label("Password").fill(WORDS)
    await dialog.get_by_role("button", name="Make the user").click()
    await page.get_by_text("User gerda is made, with the role operator.").wait_for()
    assert WORDS not in await page.content()
    assert await role_of(site, "gerda") is Role.OPERATOR
    assert await sign_in_with_password(site.store, site.clock, name="gerda", password=WORDS, browser=Browser())


async def test_role_password_and_disabling(site: Site, admin: Window) -> None:
    await users.create_user(site.store, site.clock, name="hilde", role=Role.VIEWER, password=PASSWORD, actor="test")
    page = await admin.goto("/access")
    dialog = page.get_by_role("dialog")
    await row(admin, "Users", "hilde").get_by_role("link", name="Role").click()
    await dialog.get_by_label("admin").check()
    await dialog.get_by_role("button", name="Set the role").click()
    await page.get_by_text("hilde has the role admin now.").wait_for()
    assert await role_of(site, "hilde") is Role.ADMIN
    await row(admin, "Users", "hilde").get_by_role("link", name="Password").click()
    await dialog.get_by_label("New password").fill(WORDS)
    await dialog.get_by_role("button", name="Set the password").click()
    await page.get_by_text("hilde has a new password").wait_for()
    assert await sign_in_with_password(site.store, site.clock, name="hilde", password=WORDS, browser=Browser())
    await row(admin, "Users", "hilde").get_by_role("link", name="Disable").click()
    await dialog.get_by_role("button", name="Disable hilde").click()
    await page.get_by_text("hilde is disabled").wait_for()
    await row(admin, "Users", "hilde").get_by_text("disabled").wait_for()
    await row(admin, "Users", "hilde").get_by_role("link", name="Enable").click()
    await dialog.get_by_role("button", name="Enable hilde").click()
    await page.get_by_text("hilde may sign in again.").wait_for()


async def test_the_last_enabled_admin_stays_one(site: Site, admin: Window) -> None:
    page = await admin.goto("/access")
    admin.allow("status of 409")
    await row(admin, "Users", "admin").get_by_role("link", name="Disable").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Disable admin").click()
    await dialog.get_by_text("admin is the last user who is an admin; make another user an admin first").wait_for()
    await admin.pictures("access-last-admin")
    assert all(one.disabled_at is None for one in await users.list_users(site.store) if one.name == "admin")


async def test_a_tokens_text_is_shown_once_and_never_again(site: Site, admin: Window) -> None:
    page = await admin.goto("/access")
    await page.get_by_role("link", name="New token").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("backup job")
    await dialog.get_by_label("reporter").check()
    await dialog.get_by_role("button", name="Make the token").click()
    await dialog.get_by_text("Copy it now.").wait_for()
    text = await dialog.locator("pre").inner_text()
    found = await access.authenticate(site.store, text)
    assert found is not None
    assert (found.name, found.role) == ("backup job", Role.REPORTER)
    await admin.check_accessible()
    await admin.pictures("access-new-token")
    await page.keyboard.press("Escape")
    await dialog.wait_for(state="hidden")
    assert text not in await page.content()
    await admin.goto("/access")
    assert text not in await page.content()
    await row(admin, "API tokens", "backup job").get_by_role("link", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke it for good").click()
    await page.get_by_text("Token backup job is revoked.").wait_for()
    assert await access.authenticate(site.store, text) is None
    async with site.store.transaction() as tx:
        assert text not in str([one.data for one in await tx.audit()])


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_only_admins_come_here(open_window: OpenWindow, role: Role) -> None:
    window = await open_window(role)
    page = await window.goto("/")
    assert await page.get_by_role("navigation").get_by_role("link", name="Access").count() == 0
    window.allow("status of 403")
    for path in ("/access", "/access/users/new", "/access/tokens/new"):
        await window.goto(path)
        await page.get_by_text("this needs admin").wait_for()
