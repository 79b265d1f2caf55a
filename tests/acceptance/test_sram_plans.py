"""Every model of the zoo: its SRAM peak is within 3 % of what any plan of its schedule needs."""

import pytest
from zoo_models import zoo

from dojocc.compiler import Options, compile_model
from dojocc.passes.liveness import the_program

SHARE = 1.03


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(zoo.MODELS))
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_peak_is_near_its_bound(name: str, precision: str) -> None:
    program = the_program(
        compile_model(zoo.build(name), Options(precision=precision), "tile").module
    )
    assert program.sram_peak is not None and program.sram_bound is not None
    peak, bound = program.sram_peak.value.data, program.sram_bound.value.data
    assert 0 < bound <= peak <= SHARE * bound
