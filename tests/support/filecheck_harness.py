"""Runs one .mlir case in process: `// RUN:` line, directives, the passes, then FileCheck.

// RUN: pass-a,pass-b{x=1}            the pipeline ('none' = parse and print only); first line
// TARGET: tests/targets/tiny.toml    the target of the context
// RESOURCE: name 8x3x3x3 random 1    a weight: shape, then random SEED | fill VALUE | range |
//                                    table 0,0,1 (whole numbers) |
//                                    segments (an exchange's table of that many empty rows)
// SEGMENT: name 0>1 bytes 16 dst 64  a row of a segment table: nodes, then the fields that matter
// error: words                       the run must be refused with these words, each such line
// CHECK...                           FileCheck lines on the printed result, below which stand the
//                                    tables that the passes made: `name: field value field value`
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import Options
from filecheck.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException

from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import parse_module, print_module
from dojocc.passes.pipeline import parse_passes, run_pipeline
from dojocc.runtime.errors import DojoError
from dojocc.runtime.segments import TABLE_DTYPE
from dojocc.runtime.targets import load_target

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "filecheck"
REFUSALS = (DojoError, ParseError, VerifyException)


@dataclass(frozen=True)
class Case:
    """What one .mlir file says."""

    path: Path
    text: str
    pipeline: str
    target: str | None
    resources: dict[str, np.ndarray]
    errors: tuple[str, ...]


def cases() -> list[Path]:
    return sorted(FOLDER.rglob("*.mlir"))


def read_case(path: Path) -> Case:
    text = path.read_text()
    first = text.split("\n", 1)[0]
    if not first.startswith("// RUN: "):
        raise ValueError(f"{path}: the first line must be '// RUN: <pipeline>', not '{first}'")
    targets = re.findall(r"^// TARGET: (\S+)$", text, re.MULTILINE)
    resources = re.findall(r"^// RESOURCE: (\S+) (\S+) (\w+) ?(\S*)$", text, re.MULTILINE)
    segments = re.findall(r"^// SEGMENT: (\S+) (\d+)>(\d+)(.*)$", text, re.MULTILINE)
    weights = {name: resource(shape, how, value) for name, shape, how, value in resources}
    return Case(
        path=path,
        text=text,
        pipeline=first.removeprefix("// RUN: ").strip(),
        target=targets[0] if targets else None,
        resources=weights | segment_tables(segments),
        errors=tuple(re.findall(r"//\s*error: (.+?)\s*$", text, re.MULTILINE)),
    )


def resource(shape: str, how: str, value: str) -> np.ndarray:
    sizes = tuple(int(size) for size in shape.split("x"))
    match how:
        case "random":
            return np.random.default_rng(int(value)).standard_normal(sizes).astype(np.float32)
        case "fill":
            return np.full(sizes, float(value), np.float32)
        case "range":
            return np.arange(np.prod(sizes), dtype=np.float32).reshape(sizes)
        case "table":
            return np.array([int(number) for number in value.split(",")]).reshape(sizes)
        case "segments":
            return np.zeros(sizes, TABLE_DTYPE)
        case _:
            raise ValueError(f"a resource is random, fill, range, table or segments, not '{how}'")


def segment_tables(lines: list[tuple[str, str, str, str]]) -> dict[str, np.ndarray]:
    """Segment tables from (name, source node, destination node, `field value ...`)."""
    tables: dict[str, list[np.ndarray]] = {}
    for name, source, destination, rest in lines:
        row = np.zeros(1, TABLE_DTYPE)
        row["src_node"], row["dst_node"] = int(source), int(destination)
        row["count0"] = row["count1"] = row["repeat0"] = row["repeat1"] = 1
        words = rest.split()
        for field, value in zip(words[::2], words[1::2], strict=True):
            row[field] = int(value)
        tables.setdefault(name, []).append(row)
    return {name: np.concatenate(rows) for name, rows in tables.items()}


def made_tables(resources: dict[str, np.ndarray], given: dict[str, np.ndarray]) -> str:
    """Rows of the tables (structured arrays) that the passes made, one a line."""
    lines = []
    for name in sorted(set(resources) - set(given)):
        table = resources[name]
        for row in table if table.dtype.names else ():
            values = [f"{field} {row[field]}" for field in table.dtype.names or ()]
            lines.append(f"{name}: {' '.join(values)}\n")
    return "".join(lines)


def transform(case: Case) -> str:
    """Parse, run the pipeline, print module and tables. Raises what the compiler raises."""
    target = load_target(str(ROOT / case.target)) if case.target else None
    ctx = DojoContext(target=target, resources=dict(case.resources))
    module = parse_module(ctx, case.text, str(case.path))
    passes = () if case.pipeline == "none" else parse_passes(case.pipeline)
    run_pipeline(ctx, module, passes)
    return print_module(module) + made_tables(ctx.resources, case.resources)


def run_case(path: Path) -> None:
    """AssertionError with FileCheck's message (or what was raised) when the case does not hold."""
    case = read_case(path)
    if case.errors:
        check_refusal(case)
        return
    check_text(case, transform(case))


def check_refusal(case: Case) -> None:
    try:
        printed = transform(case)
    except REFUSALS as error:
        missing = [words for words in case.errors if words not in str(error)]
        assert not missing, f"{case.path.name}: {missing} not in the error:\n{error}"
        return
    raise AssertionError(f"{case.path.name}: nothing was refused; the result:\n{printed}")


def check_text(case: Case, printed: str) -> None:
    options = Options(match_filename=str(case.path), comment_prefixes=["RUN", "COM"])
    matcher = Matcher(options, FInput(case.path.name, printed), Parser.from_opts(options))
    matcher.stderr = io.StringIO()
    code = matcher.run()
    assert code == 0, f"{matcher.stderr.getvalue()}\nthe whole result:\n{printed}"
