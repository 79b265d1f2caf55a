"""Results that are kept as long as the table they were found from: equal layers share tables, and
what follows from a table of millions of rows is found once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Generic, ParamSpec, TypeVar
from weakref import ref

import numpy as np

Others = ParamSpec("Others")
Result = TypeVar("Result")
Found = Callable[Concatenate[np.ndarray, Others], Result]


class Kept(Generic[Result]):
    """What is known of arrays, by the array itself (not its content, which must not change), until
    nobody has the array any more."""

    def __init__(self) -> None:
        self._known: dict[tuple, tuple[ref[np.ndarray], Result]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def kept(self, table: np.ndarray, *more: object) -> Result | None:
        """What is known of a table; `more`: what else it depends on."""
        found = self._known.get((id(table), *more))
        return found[1] if found is not None and found[0]() is table else None

    def keep(self, table: np.ndarray, result: Result, *more: object) -> None:
        key = id(table), *more

        def forget(gone: ref[np.ndarray]) -> None:
            if key in self._known and self._known[key][0] is gone:
                del self._known[key]

        self._known[key] = ref(table, forget), result


def by_table(function: Found[Others, Result]) -> Found[Others, Result]:
    """The function, remembering its results by the array and the other arguments."""
    known: Kept[tuple[Result]] = Kept()

    @wraps(function)
    def remembering(table: np.ndarray, *others: Others.args, **named: Others.kwargs) -> Result:
        more = (*others, *named.items())
        found = known.kept(table, *more)
        if found is None:
            found = (function(table, *others, **named),)
            known.keep(table, found, *more)
        return found[0]

    return remembering
