"""Attributes that are computed once for each object, and for one object beside another."""

import threading

from mixtura.cached import cached_property


class Slow:
    """Something whose attribute may wait for another object's."""

    def __init__(self, other: "Slow | None" = None) -> None:
        self.other, self.n_computed = other, 0
        self.reached, self.leave = threading.Event(), threading.Event()

    @cached_property
    def value(self) -> int:
        """How often it was computed."""
        self.n_computed += 1
        if self.other is None:
            self.reached.set()
            assert self.leave.wait(60.0)
        return self.n_computed


def test_attribute_is_computed_once_until_it_is_forgotten() -> None:
    slow = Slow(other=Slow())
    assert (slow.value, slow.value, slow.n_computed) == (1, 1, 1)
    del vars(slow)["value"]
    assert slow.value == 2
    assert Slow.value.__doc__ == "How often it was computed."


def test_one_object_does_not_wait_for_another() -> None:
    slow, other = Slow(), Slow(other=Slow())
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    assert slow.reached.wait(60.0)
    assert other.value == 1  # while the first one is being computed
    slow.leave.set()
    thread.join()
    assert slow.n_computed == 1
