"""A run through every kernel of the room, in whole numbers so that any order of summation is exact.

`test_uncompiled.py` runs it compiled and, in a process of its own, interpreted.
"""

import json

import numpy as np

from approxmm.hashing import (
    add_rows,
    build_index,
    draw_dense,
    draw_sparse,
    fill_random,
    hash_sparse,
    hash_vector,
    hash_workspace,
    keep_most_frequent,
    make_transform,
    probe_codes,
    query_workspace,
    retrieve,
    step_index,
    subsample,
    update_index,
)
from approxmm.random import make_key
from approxmm.ranking import fill_top


def _planes(rng, sparse, transform, pool, K, L):
    planes = (draw_sparse if sparse else draw_dense)(rng, 13, K, L, transform, pool=pool, dtype=np.float64)
    if not sparse:
        planes.by_plane[:] = np.round(2 * planes.by_plane)
        planes.by_coordinate[:, : K * L] = planes.by_plane.T
    return planes


def _one(seed, sparse, pool, K, name):
    rng = np.random.default_rng(seed)
    transform = make_transform(name)
    planes = _planes(rng, sparse, transform, pool, K, 3)
    items = 12.0 * rng.integers(-3, 4, (23, 13))
    index = build_index(items, planes, transform)
    record = [index.tables.items.tolist()]
    for changed in ([4], [0, 22], list(range(20))):
        items[changed] = 12.0 * rng.integers(-2, 3, (len(changed), 13))
        record += [update_index(index, items, changed), index.tables.items.tolist()]
    query = 12.0 * rng.integers(-2, 3, 13)
    if pool == 1:
        record += [step_index(index, [1, 2], [1.0, -1.0], query, items[[1, 2]] @ query), index.tables.items.tolist()]
    work, found = hash_workspace(planes), query_workspace(23)
    codes, probes = np.empty(3, np.int64), np.empty((3, 3), np.int64)
    where = np.flatnonzero(query)
    hash_sparse(planes, transform, where, query[where], work, codes)
    record.append(codes.tolist())
    hash_vector(planes, transform, query, work, codes)
    record.append(codes.tolist())
    probe_codes(work.projected, K, codes, probes)
    count = keep_most_frequent(index.tables, probes, found, retrieve(index.tables, probes, found), 12)
    count = fill_random(found, subsample(found, count, 6, make_key(seed)), 9, make_key(seed, item=1))
    return [*record, probes.tolist(), found.found[:count].tolist()]


def _screening():
    rng = np.random.default_rng(9)
    basis, projected = rng.integers(-3, 4, (13, 6)).astype(float), rng.integers(-3, 4, (6, 31)).astype(float)
    a, t, s, out = rng.integers(-1, 2, 13).astype(float), np.zeros(6), np.arange(31.0), np.empty(31, np.int64)
    where = np.flatnonzero(a)
    add_rows(basis, where, a[where], t)
    add_rows(projected, np.arange(6), t, s)
    count = fill_top(s, 7, out)
    return [t.tolist(), s.tolist(), out[:count].tolist()]


def run():
    """Everything the kernels computed, as nested lists."""
    cases = [(False, 1, 4, "l2_alsh"), (True, 1, 40, "none"), (False, 4, 12, "sign_alsh"), (True, 4, 4, "simple_lsh")]
    return [*(_one(seed, *case) for seed, case in enumerate(cases)), _screening()]


if __name__ == "__main__":
    print(json.dumps(run()))
