"""One BLAS thread while a program is compiled or run, and the user's number afterwards."""

from __future__ import annotations

from threadpoolctl import threadpool_info, threadpool_limits

from dojocc.threads import one_blas_thread


def blas_threads() -> list[int]:
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_one_thread_inside_and_the_old_number_behind() -> None:
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
