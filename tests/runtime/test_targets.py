"""Targets: the shipped ones agree with what is published, and wrong files are explained."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

from dojocc.runtime.errors import TargetError
from dojocc.runtime.targets import describe, from_dict, load_target, to_dict

TARGETS = Path(__file__).parents[1] / "targets"


def test_the_die_meets_the_published_peaks():
    rows = {row.name: row.value for row in describe(load_target("d1-die"))}
    assert rows["derived.nodes"] == 354
    assert rows["derived.matrix_flops"] == 354 * 512 * 2e9 * 2 / 2
    assert rows["derived.matrix_flops"] / 1e12 == pytest.approx(362, rel=2e-3)
    assert rows["derived.vector_flops"] / 1e12 == pytest.approx(22.6, rel=3e-3)
    assert rows["derived.sram_bytes"] / 2**20 == pytest.approx(440, rel=0.01)


def test_larger_machines_meet_the_published_sums():
    tile = {row.name: row.value for row in describe(load_target("d1-training-tile"))}
    assert tile["derived.matrix_flops"] / 1e15 == pytest.approx(9.06, rel=1e-3)
    assert tile["derived.sram_bytes"] / 1e9 == pytest.approx(11.6, rel=0.01)
    pod = {row.name: row.value for row in describe(load_target("d1-exapod"))}
    assert pod["derived.nodes"] == 1_062_000
    assert pod["derived.matrix_flops"] / 1e18 == pytest.approx(1.1, rel=0.02)
    assert pod["derived.dram_bytes"] / 1e12 == pytest.approx(13, rel=0.02)
    wafer = load_target("d2-wafer")
    assert (wafer.rows, wafer.cols) == (90, 100)


def test_ratios_of_the_machine():
    """4 FLOP/B saturate a node from its load ports, 8 FLOP/B stand against one mesh link."""
    target = load_target("d1-die")
    node = target.node
    flops = 2 * node.matrix_rows * node.matrix_cols * node.matrix_depth
    assert flops / (node.load_ports * node.port_bytes) == 4
    assert flops / target.mesh.link_bytes == 8
    for links, terabytes in ((18, 2.30), (20, 2.56)):
        cut = links * target.mesh.link_bytes * node.clock_hz
        assert cut / 1e12 == pytest.approx(terabytes, abs=0.01)
        assert target.die.edge_bytes_per_s < cut
    tile = load_target("d1-training-tile")
    feed = tile.dips.count * tile.dips.hbm_bytes_per_s
    assert feed == 4.0e12
    peak = {row.name: row.value for row in describe(tile)}["derived.matrix_flops"]
    assert peak / feed == pytest.approx(2266, rel=1e-3)


def test_dead_nodes_follow_the_documented_seed():
    die = load_target("d1-die").die
    draw = np.random.default_rng(354)
    rows = np.sort(draw.choice(die.rows, 6, replace=False))
    cols = draw.choice(die.cols, 6, replace=False)
    assert die.dead == tuple(zip(rows.tolist(), cols.tolist(), strict=True))
    assert len({row for row, _ in die.dead}) == len({col for _, col in die.dead}) == 6


def test_live_nodes_and_positions():
    target = load_target(TARGETS / "tiny-holes.toml")
    assert target.dead == (2, 5)
    assert target.live_nodes().tolist() == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    assert target.node_id(1, 2) == 6 and target.position(6) == (1, 2)
    tile = load_target("d1-training-tile")
    assert len(tile.live_nodes()) == 25 * 354
    assert not tile.live()[18 + 2, 20 + 18]


def test_dead_nodes_and_links_can_be_added():
    target = load_target(TARGETS / "tiny-holes.toml")
    more = target.with_dead([0, (2, 3)], [((1, 3), (1, 2))]).with_dead([[2, 3]])
    assert more.dead == (0, 2, 5, 11)
    assert more.defect_links == (((1, 2), (1, 3)),)
    assert from_dict(to_dict(more)) == more and target.dead == (2, 5)
    with pytest.raises(TargetError, match=r"position \[9, 0\] outside the node grid"):
        target.with_dead([(9, 0)])
    with pytest.raises(TargetError, match="is no mesh link"):
        target.with_dead(links=[((0, 0), (1, 1))])
    with pytest.raises(TargetError, match="has no live node"):
        target.with_dead(range(12))


def test_dips_reach_the_edge_in_equal_bands():
    tile = load_target("d1-training-tile")
    bands = [tile.dip_nodes(dip) for dip in range(5)]
    assert [len(band) for band in bands] == [18] * 5
    assert (np.concatenate(bands) == np.arange(90) * 100).all()
    with pytest.raises(TargetError, match="has no DIP 5"):
        tile.dip_nodes(5)
    with pytest.raises(TargetError, match="every node at the edge of DIP 0"):
        load_target(TARGETS / "tiny.toml").with_dead([0, 3]).dip_nodes(0)


def test_targets_refuse_to_be_wrong():
    target = load_target("d1-die")
    with pytest.raises(FrozenInstanceError):
        target.name = "other"  # pyright: ignore
    with pytest.raises(TargetError, match="node.sram_bytes is out of range"):
        replace(target.node, sram_bytes=12)
    with pytest.raises(TargetError, match="node.threads must be a whole number"):
        replace(target.node, threads=2.5)
    with pytest.raises(TargetError, match="dips.edge must name an edge"):
        replace(target.dips, edge="top")
    with pytest.raises(TargetError, match="die.dead names a position twice"):
        replace(target.die, dead=((0, 1), (0, 1)))
    with pytest.raises(TargetError, match=r"position \[18, 0\] outside the die"):
        replace(target, die=replace(target.die, dead=((18, 0),)))
    with pytest.raises(TargetError, match="has too many nodes"):
        replace(target, die=replace(target.die, rows=4096, cols=4096))
    with pytest.raises(TargetError, match="has no field 'node.speed'"):
        target.origin("node.speed")


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_users_file_inherits_and_bare_numbers_are_assumed(tmp_path):
    path = write(
        tmp_path, 'name = "mine"\ninherits = "d1-die"\n[node]\nsram_bytes = 2097152\nclock_hz = 1\n'
    )
    with pytest.raises(TargetError, match="node.clock_hz is out of range"):
        load_target(path)
    path = write(tmp_path, path.read_text().replace("clock_hz = 1\n", "clock_hz = 1000000000\n"))
    mine, base = load_target(path), load_target("d1-die")
    assert mine.node == replace(base.node, sram_bytes=2097152, clock_hz=1e9)
    assert mine.mesh == base.mesh and mine.name == "mine"
    assert mine.fact("node.sram_bytes").origin == "assumed"
    assert mine.fact("node.sram_bytes").note == "given in mine.toml"
    (tmp_path / "next.toml").write_text(
        'name = "next"\ninherits = "mine.toml"\n[defects]\nnodes = [[1, 1]]\n'
    )
    again = load_target(str(tmp_path / "next.toml"))
    assert again.node == mine.node and again.node_id(1, 1) in again.dead


HEAD = 'name = "x"\ninherits = "d1-die"\n'


@pytest.mark.parametrize(
    "text, what, where, help",
    [
        (HEAD + "[node]\nsram_byte = 5", "unknown key node.sram_byte", "line 4", "'sram_bytes'"),
        (HEAD + "[nod]\nx = 5", "unknown key 'nod' in a target", "line 3", "'node'"),
        (HEAD + "colour = 5", "unknown key 'colour'", "line 3", "known keys"),
        (HEAD + "[mesh]\n\nlink_bytes = 0", "mesh.link_bytes is out of range", "line 5", ""),
        (HEAD + '[mesh]\nlink_bytes = "64"', "mesh.link_bytes must be a number", "line 4", ""),
        (HEAD + "[node]\nthreads = {value = 4}", "node.threads lacks its origin", "line 4", ""),
        (
            HEAD + '[node]\nthreads = {value = 4, origin = "guess", note = ""}',
            "node.threads needs an origin",
            "line 4",
            "published, derived, assumed",
        ),
        (
            HEAD + '[node]\nthreads = {value = 4, orign = "derived", note = ""}',
            "unknown key 'orign' in node.threads",
            "line 4",
            "'origin'",
        ),
        (HEAD + "[die]\ndead = [[1]]", "die.dead must be a list of", "line 4", ""),
        (HEAD + "[defects]\nnodes = [1]", "defects are not well formed", "line 3", "nodes ="),
        (HEAD + "[defects]\nnode = []", "defects must be a table", "line 3", ""),
        (HEAD + "node = 3", "[node] must be a table", "", ""),
        ("name = 3", "name must be text", "line 1", ""),
        ('inherits = "d1-die"', "a target needs a name", "mine.toml", "add name"),
        ('name = "x"', "target x lacks node.sram_bytes", "", 'inherits = "d1-die"'),
        ('name = "x"\ninherits = "d1-dye"', "no target called 'd1-dye'", "", "'d1-die'"),
        ('name = "x"\ninherits = "mine.toml"', "inherits from itself", "mine.toml", ""),
        ("name = 1 2\n", "is not valid TOML", "line 1", ""),
    ],
)
def test_wrong_files_are_explained(tmp_path, text, what, where, help):
    with pytest.raises(TargetError) as error:
        load_target(write(tmp_path, text))
    assert what in error.value.what
    assert where in (error.value.where or "")
    assert help in (error.value.help or "")


def test_missing_and_unreadable_files_are_explained(tmp_path):
    with pytest.raises(TargetError, match="there is no target file"):
        load_target(tmp_path / "none.toml")
    with pytest.raises(TargetError, match="there is no target called 'd2-die'") as error:
        load_target("d2-die")
    assert "'d1-die'" in str(error.value)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TargetError, match="cannot be read"):
        load_target(binary)
    binary.write_bytes(b"#" * (1 << 21))
    with pytest.raises(TargetError, match="is too large"):
        load_target(binary)
