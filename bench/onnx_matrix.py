"""docs/onnx-support.md: what ONNX's own suite says of every op, by element type and opset."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.onnx_suite import Outcome

HEAD = """# ONNX support, as ONNX's own suite finds it

Written by `python -m bench onnx --matrix docs/onnx-support.md` from the cases of
`onnx.backend.test`: each model is compiled for one D1 die and its instruction streams run; results
are held to ONNX's own tolerance. *Refused* cases end in a typed error that names the op and the
reason. Floats compute as FP32 and integers as INT32 lanes, each narrowing a remark of the program.
*Known* counts passed cases whose results hang on shapes and constants only.
"""


def matrix(rows: Sequence[Outcome]) -> str:
    """The document: a summary by kind, then a line an op."""
    lines = [HEAD, "| cases | passed | refused | other | known |", "|---|---|---|---|---|"]
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        counts = Counter(row.status for row in of_kind)
        other = len(of_kind) - counts["passed"] - counts["refused"]
        known = sum(row.known for row in of_kind if row.status == "passed")
        lines.append(
            f"| {kind} ({len(of_kind)}) | {counts['passed']} | {counts['refused']} "
            f"| {other} | {known} |"
        )
    lines += ["", "## Node cases by op", ""]
    lines += [
        "| op | passed | element types | opsets | not passed, and why |",
        "|---|---|---|---|---|",
    ]
    by_op: dict[str, list[Outcome]] = defaultdict(list)
    for row in rows:
        if row.kind == "node":
            by_op[row.op].append(row)
    lines += [line(op, by_op[op]) for op in sorted(by_op)]
    return "\n".join(lines) + "\n"


def line(op: str, rows: Sequence[Outcome]) -> str:
    passed = [row for row in rows if row.status == "passed"]
    types = sorted({kind for row in passed for kind in row.types})
    opsets = sorted({row.opset for row in passed})
    shown = types if op != "function bodies" else ["as the ops they are made of"]
    text = f"{opsets[0]} to {opsets[-1]}" if len(opsets) > 1 else "".join(map(str, opsets))
    why = Counter(reason(row) for row in rows if row.status != "passed")
    reasons = "; ".join(f"{count} x {what}" for what, count in why.most_common(3))
    return f"| {op} | {len(passed)} of {len(rows)} | {', '.join(shown)} | {text} | {reasons} |"


def reason(row: Outcome) -> str:
    """The last words of a refusal: what is not supported."""
    if row.status != "refused":
        return f"{row.status}: {row.detail[:80]}"
    lines = row.detail.split("\n")
    text = lines[1] if lines[0].endswith("support:") and len(lines) > 1 else lines[0]
    text = text.split("): ")[-1].split("; nearest")[0]
    return " ".join(text.replace("|", "/").split())[:100]
