"""PyTorch, where it is installed: state dicts in files, and live modules."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from plain_forward import plain_forward

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from approxmm import read_model  # noqa: E402
from approxmm.errors import DataError  # noqa: E402

X = np.random.default_rng(0).normal(size=(7, 6))


def agree(module, network, dtype):
    x = torch.from_numpy(X.astype(dtype))
    with torch.no_grad():
        expected = module(x).numpy()
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(plain_forward(network, x.numpy()), expected, atol=tolerance, rtol=10 * tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sequential(dtype):
    torch.manual_seed(0)
    body = nn.Sequential(
        *(
            nn.Flatten(),
            nn.BatchNorm1d(6),
            nn.Linear(6, 8),
            nn.BatchNorm1d(8, affine=False),
            nn.GELU(),
            nn.Dropout(0.5),
        ),
        nn.Sequential(nn.Linear(8, 7), nn.LeakyReLU(0.2), nn.BatchNorm1d(7), nn.Linear(7, 5, bias=False)),
        *(nn.Tanh(), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 4), nn.Identity(), nn.Linear(4, 3)),
    ).to(torch.float64)
    for _ in range(3):
        body(3.0 + 2.0 * torch.randn(50, 6, dtype=torch.float64))
    body = body.eval().to(torch.float32 if dtype == np.float32 else torch.float64)
    model = read_model(nn.Sequential(body, nn.LogSoftmax(1)))
    assert model.network.activation == ("gelu", "leaky_relu(0.2)", "tanh", "sigmoid", "linear")
    assert "LogSoftmax" in model.notes[-1]
    agree(body, model.network, dtype)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.Conv1d(1, 2, 3), "neither a dense layer"),
        (nn.LayerNorm(6), "neither a dense layer"),
        (nn.SiLU(), "neither a dense layer"),
        (nn.GELU("tanh"), "approximated by tanh"),
        (nn.BatchNorm1d(6, track_running_stats=False), "depends on the batch"),
        (nn.Flatten(0), "mixes examples"),
    ],
)
def test_other_layers_are_obstacles(layer, words):
    model = read_model(nn.Sequential(nn.Linear(6, 6), layer, nn.Linear(6, 3)))
    assert [o.name for o in model.obstacles] == ["1"]
    assert words in model.obstacles[0].reason
    substituted = read_model(nn.Sequential(nn.Linear(6, 6), layer, nn.Linear(6, 3)), activation="gelu")
    assert (substituted.chain is not None) == isinstance(layer, (nn.SiLU, nn.GELU))


@pytest.mark.parametrize("kind", ["plain", "checkpoint", "bfloat16", "legacy suffix"])
def test_state_dicts_in_files(tmp_path, kind):
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    if kind == "bfloat16":
        module = module.to(torch.bfloat16)
    state = module.state_dict()
    path = tmp_path / ("m.pth" if kind == "legacy suffix" else "m.pt")
    torch.save({"model_state_dict": state, "epoch": 3} if kind == "checkpoint" else state, path)
    model = read_model(path, activation="relu")
    assert bool(model.notes) == (kind in ("checkpoint", "bfloat16"))
    agree(module.float(), model.network, np.float32)


def test_a_module_of_ones_own_is_read_by_its_weights():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 3)

        def forward(self, x):
            raise AssertionError("nothing of the module may run")

    model = read_model(Net(), activation="tanh")
    assert model.network.widths == (6, 5, 3)
    assert "only a torch.nn.Sequential says what stands between its layers" in model.notes[0]


def test_pickles_never_run_and_damage_is_named(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    path = tmp_path / "m.pt"
    torch.save({"a.weight": Bomb()}, path)
    with pytest.raises(DataError, match="that can be read without running code"):
        read_model(path)
    assert not (tmp_path / "exploded").exists()
    torch.save(nn.Linear(3, 2), path)
    with pytest.raises(DataError, match="without running code"):
        read_model(path)
    torch.save({"a.weight": torch.ones(2, 3)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(DataError, match="no archive, or one of a PyTorch older"):
        read_model(path)
    torch.save([1, 2], path)
    with pytest.raises(DataError, match="holds a list, not a state dict"):
        read_model(path)
    torch.save({"a.weight": torch.ones(1, 1).expand(2**20, 2**20)}, path)
    with pytest.raises(DataError, match="unfolds to 4398046511104 bytes"):
        read_model(path)
    torch.save({"a.weight": torch.ones(20, 30)}, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(whole), 60):
        for damaged in (whole[:position], whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]):
            path.write_bytes(damaged)
            with suppress(DataError):
                read_model(path)
