from tests.web.conftest import Window
from tests.web.site import Site


async def test_pausing_and_lifting_ask_in_a_dialog(site: Site, operator: Window) -> None:
    await site.add_cluster("c1", name="kvm-berlin")
    operator.allow("status of 422|Status Error Code 422")
    page = await operator.goto("/")
    await operator.live()
    await page.locator("#cluster-c1").get_by_role("link", name="Pause").click()
    dialog = page.get_by_role("dialog", name="Pause fencing in cluster kvm-berlin")
    await dialog.wait_for()
    await operator.check_accessible()
    await operator.pictures("pause")
    reason = dialog.get_by_label("Why?")
    await reason.fill("   ")
    await dialog.get_by_role("button", name="Pause fencing").click()
    await dialog.get_by_text("say why").wait_for()
    await reason.fill("new <b>storage</b>")
    await dialog.get_by_label("How long").select_option("4 hours")
    await dialog.get_by_role("button", name="Pause fencing").click()
    await page.get_by_text("Fencing is paused in cluster kvm-berlin: 4 hours.").wait_for()
    await page.get_by_text("the operator: new <b>storage</b>").wait_for()
    await page.get_by_role("link", name="Lift").click()
    dialog = page.get_by_role("dialog", name="Lift the pause in cluster kvm-berlin")
    await dialog.get_by_label("Why?").fill("done")
    await dialog.get_by_role("button", name="Lift the pause").click()
    await page.get_by_text("The pause is lifted.").wait_for()
    async with site.store.transaction() as tx:
        assert await tx.pauses() == []
        assert [(row.actor, row.action) for row in await tx.audit()][:2] == [
            ("the operator", "pause.lift"),
            ("the operator", "pause.create"),
        ]


async def test_escape_leaves_everything_as_it_is(site: Site, operator: Window) -> None:
    page = await operator.goto("/")
    await page.get_by_role("link", name="Pause all fencing").click()
    await page.get_by_role("dialog").get_by_label("Why?").fill("no")
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="hidden")
    await page.get_by_role("link", name="Pause all fencing").click()
    assert await page.get_by_role("dialog").get_by_label("Why?").input_value() == ""
    async with site.store.transaction() as tx:
        assert await tx.pauses() == []


async def test_a_viewer_is_offered_nothing_and_may_do_nothing(viewer: Window) -> None:
    page = await viewer.goto("/")
    assert await page.get_by_role("link", name="Pause").count() == 0
    viewer.allow("status of 403")
    await viewer.goto("/pauses/new")
    await page.get_by_text("this needs operator or admin").wait_for()
    await viewer.check_accessible()
    await viewer.pictures("problem")
