"""`dojocc pack` on all of MiniMalloc's challenging instances, at their capacity."""

import csv
from pathlib import Path

import pytest
from cli_run import dojocc

from dojocc.passes.solve.packing import Buffer
from dojocc.passes.solve.packing_check import check_packing

DATA = Path(__file__).parents[1] / "data" / "minimalloc"
SECONDS = 60


@pytest.mark.slow
@pytest.mark.parametrize("name", "ABCDEFGHIJK")
def test_every_challenge_fits_within_a_minute(tmp_path: Path, name: str) -> None:
    table, out = DATA / f"{name}.1048576.csv", tmp_path / "offsets.csv"
    found = dojocc("pack", table, "--capacity", "1048576", "-o", out, "--json").json()
    assert found["peak_bytes"] <= 1 << 20 and found["seconds"] < SECONDS
    assert found["lower_bound_bytes"] <= found["peak_bytes"]
    rows = list(csv.DictReader(out.read_text().splitlines()))
    given = list(csv.DictReader(table.read_text().splitlines()))
    assert [{key: row[key] for key in given[0]} for row in rows] == given
    buffers = [Buffer(r["id"], int(r["lower"]), int(r["upper"]), int(r["size"])) for r in rows]
    assert check_packing(buffers, [int(row["offset"]) for row in rows], 1 << 20) == []
