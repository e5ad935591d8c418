from controller.domain.marks import Mark, Marked, changed


def mark(kind: Marked = Marked.HOSTS, mark_id: str = "h1", version: str = "1") -> Mark:
    return Mark(kind=kind, id=mark_id, version=version, host_id=mark_id)


def test_what_came_went_or_was_written_is_changed() -> None:
    before = [mark(), mark(mark_id="h2"), mark(mark_id="h3")]
    after = [mark(), mark(mark_id="h2", version="2"), mark(mark_id="h4")]
    assert {(one.id, one.version) for one in changed(before, after)} == {("h2", "2"), ("h3", "1"), ("h4", "1")}


def test_two_kinds_may_have_one_id() -> None:
    assert changed([mark()], [mark(), mark(Marked.CLUSTER)]) == (mark(Marked.CLUSTER),)
