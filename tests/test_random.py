"""Random streams: Random123's published vectors, numpy.random.Philox bit for bit, and the uniforms made of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from approxmm.errors import InputError
from approxmm.random import Key, Stream, fill_uniform, generator, make_key, philox4x64, uniform

FULL = 2**64 - 1
field = st.integers(0, 2**63 - 1)
keys = st.builds(make_key, field, field, field, field, field)

# Known answers for philox4x64-10 from the Random123 distribution (tests/kat_vectors): counter, key, result.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    ((FULL,) * 4, (FULL,) * 2, (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0)),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]


def reference(counter, key):
    """Philox-4x64-10 in Python integers, from the paper's definition."""
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(second >> 64) ^ c[1] ^ k[0], second & FULL, (first >> 64) ^ c[3] ^ k[1], first & FULL]
        k = [(k[0] + 0x9E3779B97F4A7C15) & FULL, (k[1] + 0xBB67AE8584CAA73B) & FULL]
    return tuple(c)


def ours(counter, key, kernel=philox4x64):
    """The package's block for a raw counter and key; block b has counter word b + 1."""
    word = (counter[0] - 1) & FULL
    block = word if kernel is not philox4x64 else np.uint64(word).astype(np.int64)
    fields = Key(*(np.uint64(v) for v in (key[0], key[1], counter[3], counter[2], counter[1])))
    return tuple(int(v) for v in kernel(fields, block))


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_published_vectors(counter, key, answer):
    assert reference(counter, key) == answer
    assert ours(counter, key) == answer
    if counter[0]:  # uncompiled, block −1 cannot be asked for
        assert ours(counter, key, philox4x64.py_func) == answer


@given(keys, st.integers(0, 2**40))
def test_compiled_block_is_the_reference(key, block):
    expected = reference((block + 1, key.item, key.layer, key.step), (key.seed, key.stream))
    assert tuple(int(v) for v in philox4x64(key, block)) == expected
    assert tuple(int(v) for v in philox4x64.py_func(key, block)) == expected


@given(keys, st.integers(1, 6))
def test_blocks_are_numpy_philox_bit_for_bit(key, blocks):
    bits = np.random.Philox(
        key=np.array([key.seed, key.stream], dtype=np.uint64),
        counter=np.array([0, key.item, key.layer, key.step], dtype=np.uint64),
    ).random_raw(4 * blocks)
    got = np.array([philox4x64(key, b) for b in range(blocks)], dtype=np.uint64).ravel()
    np.testing.assert_array_equal(got, bits)


@given(keys, st.integers(0, 23))
def test_uniforms_are_the_generator_doubles(key, size):
    expected = generator(key).random(size)
    np.testing.assert_array_equal(uniform(key, size), expected)
    slow = np.empty(size)
    fill_uniform.py_func(key, slow)
    np.testing.assert_array_equal(slow, expected)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 7, 8, 9, 1000])
def test_uniforms_across_block_boundaries_are_one_sequence(size):
    key = make_key(5, Stream.SELECT, 1, 2, 3)
    np.testing.assert_array_equal(uniform(key, size), uniform(key, 1001)[:size])


def test_single_precision_buffer_gets_the_rounded_doubles():
    key, out = make_key(1), np.empty(9, dtype=np.float32)
    fill_uniform(key, out)
    np.testing.assert_array_equal(out, uniform(key, 9).astype(np.float32))


def test_every_field_and_every_stream_has_bits_of_its_own():
    base = make_key(7, Stream.SELECT, 4, 5, 6)
    variants = [base] + [base._replace(**{name: getattr(base, name) + 1}) for name in base._fields]
    variants += [base._replace(seed=base.stream, stream=base.seed), base._replace(layer=base.item, item=base.layer)]
    draws = np.concatenate([uniform(key, 1000) for key in variants])
    assert len(np.unique(draws)) == draws.size
    purposes = [value for name, value in vars(Stream).items() if name.isupper()]
    assert len(set(purposes)) == len(purposes)


def test_uniforms_are_uniform_and_neighbouring_items_independent():
    """KS over 200,000 doubles and chi-square over an 8 × 8 grid of pairs; false alarms below 1e-9 each, seed fixed."""
    draws = np.concatenate([uniform(make_key(11, Stream.SELECT, item=i), 100) for i in range(2000)]).reshape(2000, 100)
    assert ((draws >= 0) & (draws < 1)).all()
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 1e-9
    for first, second in ((draws[:-1], draws[1:]), (draws[:, :-1], draws[:, 1:])):
        pairs = np.histogram2d(first[::2].ravel(), second[::2].ravel(), bins=8, range=[[0, 1], [0, 1]])[0]
        assert stats.chisquare(pairs.ravel()).pvalue > 1e-9


@pytest.mark.parametrize("name", Key._fields)
@pytest.mark.parametrize("bad", [-1, 2**63, 1.0, True, None, "3", float("nan")])
def test_field_outside_its_range_is_named(name, bad):
    fields = {"seed": 0, name: bad}
    message = f"{name}={bad!r} is not an integer in [0, 2**63); choose a non-negative integer"
    with pytest.raises(InputError, match=re.escape(message)):
        make_key(**fields)


def test_numpy_integers_are_integers():
    key = make_key(np.uint32(7), np.int64(1))
    assert key == (7, 1, 0, 0, 0)
    assert all(type(value) is int for value in key)
