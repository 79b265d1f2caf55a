"""Random programs for hypothesis: loop nests with loads, stores, arithmetic and reductions, some
built to defeat lifting.
"""

from __future__ import annotations

from hypothesis import strategies as st

MEMORY = 4096
FORMATS = {0: 4, 1: 2, 4: 4, 2: 1}  # descriptor -> bytes of FP32, BF16, INT32, INT8
LOADS = {"vld": 1, "vld2": 2, "vld4": 4, "vld16": 16, "vldb": 1, "vldp": 1, "vldp2": 2, "vldbp": 1}
STORES = {"vst": 1, "vst2": 2, "vst4": 4, "vst16": 16, "vstp": 1, "vstp4": 4}
BINARY = ["vadd", "vsub", "vmul", "vmin", "vmax", "viadd", "vimul", "vixor"]
UNARY = ["vabs", "vneg", "vmov", "vrsum", "vrmax", "vfi", "vif", "vtanh"]
REDUCE = ["vacc", "vmaxa", "vmina", "viacc", "vimaxa", "vimina", "vimula"]

small = st.integers(0, 7)


@st.composite
def generator(draw, number: int) -> list[str]:
    """Set-up of one address generator inside the first MEMORY bytes."""
    lines = [f"aclr {number}", f"abasei {number} {draw(st.integers(0, 12)) * 128 + 512}"]
    for level in range(4):
        if draw(st.booleans()):
            stride = draw(st.sampled_from([-64, 0, 2, 4, 8, 16, 32, 64, 128, 256]))
            lines.append(f"astr {number} {level} {stride}")
    lines.append(f"apitch {number} {draw(st.sampled_from([0, 4, 8, 16, 32, 64, 100]))}")
    if draw(st.booleans()):
        lines += [
            f"li 2 {draw(st.integers(-3, 3))}",
            "rdid 3 4",
            "add 2 2 3",
            f"li 4 {draw(st.integers(0, 9))}",
        ]
        lines += [
            f"ax {number} 2 4",
            f"astep {number} {draw(st.integers(-1, 2))} {draw(st.integers(0, 2))}",
        ]
        lines += [
            f"axstr {number} {draw(st.integers(0, 2))} 1",
            f"apad {number} {draw(st.sampled_from([0.0, -1.5]))}",
        ]
        if draw(st.booleans()):
            lines += [f"ay {number} 2 4", f"aystr {number} {draw(st.integers(0, 3))} 1"]
    return lines


@st.composite
def instruction(draw) -> str:
    """One straight instruction; v0-v7, generators 0-4, predicates 0-1."""
    kind = draw(
        st.sampled_from(
            ["load", "load", "store", "binary", "unary", "reduce", "fma", "matrix", "other"]
        )
    )
    v = [draw(small) for _ in range(3)]
    p = draw(st.sampled_from([0, 0, 0, 1]))
    a = draw(st.integers(0, 4))
    f = draw(st.integers(0, 2))
    fmt = draw(st.sampled_from(list(FORMATS)))
    match kind:
        case "load":
            return f"{draw(st.sampled_from(list(LOADS)))} {v[0]} {a} {fmt} {f} {p}"
        case "store":
            return f"{draw(st.sampled_from(list(STORES)))} {v[0]} {a} {fmt} {f} {p}"
        case "binary":
            return f"{draw(st.sampled_from(BINARY))} {v[0]} {v[1]} {v[2]} {p}"
        case "unary":
            return f"{draw(st.sampled_from(UNARY))} {v[0]} {v[1]} {p}"
        case "reduce":
            return f"{draw(st.sampled_from(REDUCE))} {v[0]} {v[1]} {p}"
        case "fma":
            return f"vfma {v[0]} {v[1]} {v[2]} {p}"
        case "matrix":
            return draw(
                st.sampled_from(
                    [
                        f"mmac {a % 2} {v[0]} {v[1]}",
                        f"mmact {a % 2} {v[0]} {v[1]}",
                        f"mzero {a % 2}",
                    ]
                    + [
                        f"mread {v[0]} {a % 2} {f}",
                        f"ldg8 {v[0]} {a} {f}",
                        f"ldgp16 {v[0]} {a} {f}",
                    ]
                )
            )
        case _:
            return draw(
                st.sampled_from(
                    [f"pinb 1 {a} {f}", f"vli {v[0]} 1.5 {p}", f"vcmplt 1 {v[0]} {v[1]} 0"]
                )
            )


@st.composite
def nest(draw, level: int = 0) -> list[str]:
    """A loop at `level` with instructions and inner loops; counts are constants or differ by
    node (x5, x6).
    """
    if draw(st.integers(0, 3)) == 0:
        lines = [f"loopx {level} {draw(st.sampled_from([5, 6]))}"]
    else:
        lines = [f"loop {level} {draw(st.integers(0, 4))}"]
    for _ in range(draw(st.integers(1, 4))):
        if level < 3 and draw(st.integers(0, 2)) == 0:
            lines += draw(nest(level + 1))
        else:
            lines.append(draw(instruction()))
    return [*lines, "end"]


@st.composite
def reducing_nest(draw) -> list[str]:
    """The shape compilers emit: zero, inner loops that accumulate, read, store."""
    product = draw(st.sampled_from(["mmac", "mmact", "vfma", *REDUCE]))
    inner = draw(st.integers(1, 2))
    lines = ["loop 0 3", "loop 1 2"]
    lines.append("mzero 0" if product.startswith("mmac") else "vli 4 0.5 0")
    for level in range(2, 2 + inner):
        lines.append(f"loop {level} {draw(st.integers(1, 3))}")
    if product.startswith("mmac"):
        lines += [
            draw(st.sampled_from(["ldg8 0 0 0", "ldgp8 0 0 0"])),
            "ldg16 1 1 0",
            f"{product} 0 0 1",
        ]
    else:
        fmt = draw(st.sampled_from([0, 1]))
        first = draw(st.sampled_from(["vldb", "vld", "vldbp", "vldp"]))
        lines += [f"{first} 0 0 {fmt} 0 0", f"vld 1 1 {fmt} 0 0"]
        lines.append(
            f"vfma 4 0 1 {draw(st.sampled_from([0, 0, 1]))}"
            if product == "vfma"
            else f"{product} 4 1 0"
        )
    lines += ["end"] * inner
    if product.startswith("mmac"):
        lines += ["mread 4 0 1"]
    return [*lines, f"vst2 4 2 {draw(st.sampled_from([0, 1]))} 0 0", "end", "end"]


@st.composite
def stream(draw) -> list[str]:
    """A whole thread: generators, node-dependent counts, straight code and nests."""
    lines = [
        "rdid 5 5",
        "rdid 6 4",
        "addi 6 6 1",
        "aclr 14",
        "abasei 14 512",
        "vld 1 14 0 0 0",
        "vld 3 14 0 1 0",
    ]
    for number in range(5):
        lines += draw(generator(number))
    for _ in range(draw(st.integers(1, 3))):
        lines += draw(
            st.one_of(
                nest(), nest(), reducing_nest(), st.lists(instruction(), min_size=1, max_size=2)
            )
        )
    for v in range(8):
        lines += ["aclr 15", f"abasei 15 {3584 + 64 * v}", f"vst {v} 15 0 0 0"]
    return lines
