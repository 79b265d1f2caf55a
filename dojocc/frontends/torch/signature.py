"""Names of results, from the structure that a module's forward returns."""

from __future__ import annotations

from typing import Any

from dojocc.frontends.optional import framework


def output_names(spec: Any, count: int) -> list[str]:
    """A name for each result: its keys in the returned structure, or its number.

    A lone tensor is `output`, entry 2 of a tuple `output_2`, `{"a": (t, u)}` gives `a.0`, `a.1`.
    """
    paths = key_paths(spec, count)
    if paths is None or len(paths) != count:
        paths = [list[str | int]([number]) for number in range(count)]
    names: list[str] = []
    for path in paths:
        name = path_name(path)
        while name in names:
            name += "_"
        names.append(name)
    return names


def path_name(path: list[str | int]) -> str:
    if not path:
        return "output"
    if isinstance(path[0], int):
        path = [f"output_{path[0]}", *path[1:]]
    return ".".join(map(str, path))


def key_paths(spec: Any, count: int) -> list[list[str | int]] | None:
    """The keys that lead to each leaf; None where the structure's class is not known here."""
    tree = framework("torch.utils._pytree", "the structure of results")
    try:
        whole = tree.tree_unflatten(list(range(count)), spec)
        leaves, _ = tree.tree_flatten_with_path(whole)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return [[key_of(key) for key in path] for path, _ in leaves]


def key_of(key: Any) -> str | int:
    for field in ("key", "idx", "name"):
        if hasattr(key, field):
            value = getattr(key, field)
            return value if isinstance(value, str | int) else str(value)
    return str(key)
