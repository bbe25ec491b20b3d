"""PyTorch's training steps, timed in a process of its own.

PyTorch and compiled code in one process disturb each other's threads; so the benchmark talks to this one through pipes:
a line with the settings first, then lines with a number of steps in and their seconds out.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from typing import Any


def _build(settings: dict[str, Any]) -> Any:
    """Return a function that takes a number of steps and returns their seconds."""
    import numpy as np
    import torch

    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    widths = settings["widths"]
    layers: list[Any] = []
    for n, m in pairwise(widths):
        layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    if settings["optimizer"] == "adam":
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=settings["lr"], fused=True)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=settings["lr"])
    batch = settings["batch"]
    with np.load(settings["examples"], allow_pickle=False) as arrays:
        x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    position = 0

    def run(steps: int) -> float:
        nonlocal position
        started = time.perf_counter()
        for _ in range(steps):
            rows = slice(position, position + batch)
            position = (position + batch) % (len(x) - batch)
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        return time.perf_counter() - started

    return run


def main() -> None:
    """Serve requests until the input ends."""
    run = _build(json.loads(sys.stdin.readline()))
    import torch

    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        print(run(int(line)), flush=True)


if __name__ == "__main__":
    main()
