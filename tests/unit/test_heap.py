"""What is there when a controller has started is not looked through by the garbage collector again."""

import gc

from controller import heap


def test_what_is_there_is_set_aside_and_what_comes_later_is_not() -> None:
    before: list[object] = []
    try:
        heap.settle()
        after: list[object] = []
        seen = {id(one) for one in gc.get_objects()}
        assert gc.get_freeze_count() > 0
        assert id(before) not in seen
        assert id(after) in seen
    finally:
        gc.unfreeze()
