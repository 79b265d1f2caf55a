"""Results that are kept as long as the table they were found from: equal layers share tables, and
what follows from a table of millions of rows is found once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import ref

import numpy as np

Others = ParamSpec("Others")
Result = TypeVar("Result")
Found = Callable[Concatenate[np.ndarray, Others], Result]


def by_table(function: Found[Others, Result]) -> Found[Others, Result]:
    """The function, remembering its results by the array itself (not its content, which must not
    change) and the other arguments, until nobody has the array any more."""
    known: dict[tuple, tuple[ref[np.ndarray], Result]] = {}

    @wraps(function)
    def remembering(table: np.ndarray, *others: Others.args, **named: Others.kwargs) -> Result:
        key = (id(table), *others, *named.items())
        if key in known and known[key][0]() is table:
            return known[key][1]
        result = function(table, *others, **named)

        def forget(gone: ref[np.ndarray]) -> None:
            if key in known and known[key][0] is gone:
                del known[key]

        known[key] = ref(table, forget), result
        return result

    return remembering
