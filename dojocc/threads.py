"""Threads of the BLAS behind NumPy while a program is compiled or run: one.

The engine shares large products between cores itself, and most products of a program are small:
threads of the BLAS then wait for each other longer than they work, and far longer where another
process has a core. With one, sums do not depend on the number of cores either.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager:
    """One thread for the BLAS inside the `with`; the old number behind it."""
    return _controller().limit(limits=1, user_api="blas")
