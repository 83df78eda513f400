"""The C library is asked to serve all threads from one heap, and may be one that cannot."""

from __future__ import annotations

import ctypes
import platform

import pytest

from chat.observe import heap


def test_one_heap_is_asked_for_where_the_c_library_knows_of_it() -> None:
    assert heap.share() is (platform.libc_ver()[0] == "glibc")


@pytest.mark.parametrize("problem", [OSError, TypeError])
def test_where_it_cannot_be_asked_nothing_happens(
    problem: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: None) -> object:
        raise problem

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert heap.share() is False


def test_a_library_without_the_question_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert heap.share() is False
