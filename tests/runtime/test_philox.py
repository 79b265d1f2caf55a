"""Random bits: the same for an element however it is asked for, and NumPy's own Philox."""

import numpy as np

from dojocc.runtime.philox import random_bits, random_bits_at


def test_blocks_are_numpys_philox():
    generator = np.random.Philox(key=np.array([5, 9], np.uint64), counter=(7 << 64) + 2)
    expected = generator.random_raw(8).view(np.uint32)
    assert (random_bits(5, 7, 9, 3 * 8, 16) == expected).all()


def test_any_order_and_any_range_give_the_same_bits():
    whole = random_bits(1, 2, "weights", 0, 1000)
    assert (random_bits(1, 2, "weights", 333, 55) == whole[333:388]).all()
    index = np.random.default_rng(0).permutation(1000).reshape(10, 100)
    assert (random_bits_at(1, 2, "weights", index) == whole[index]).all()


def test_seed_step_and_tensor_all_matter():
    bits = [
        random_bits(*key, 0, 64).tobytes()
        for key in ((1, 2, "a"), (2, 2, "a"), (1, 3, "a"), (1, 2, "b"), (1, 2, 1))
    ]
    assert len(set(bits)) == 5


def test_bits_are_even():
    bits = random_bits(3, 0, 0, 0, 1 << 16)
    ones = np.unpackbits(bits.view(np.uint8)).mean()
    assert abs(ones - 0.5) < 0.002
