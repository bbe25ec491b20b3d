"""Files that lie: an error in one line, nothing executed, no memory taken on their word."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm import Network, load_inputs, read_model
from approxmm.errors import ApproxmmError, DataError
from approxmm.interop import Model

KINDS = ["npz", "npz compressed", "safetensors", "onnx", "npy"]


def npy_header(shape, descr="<f8", version=1):
    stream = io.BytesIO()
    write = np.lib.format.write_array_header_1_0 if version == 1 else np.lib.format.write_array_header_2_0
    write(stream, {"shape": shape, "fortran_order": False, "descr": descr})
    return stream.getvalue()


def archive(**members):
    """Return an archive of raw members; a tuple is (content, claimed size)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def long_header():
    return b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + b"{" * 100


def nested_header():
    text = b"{'descr': " + b"-" * 9000 + b"1}"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def claimed(content, size):
    """Make every size that an archive states for its (first) member another one."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        real = opened.infolist()[0].file_size
    assert content.count(real.to_bytes(4, "little")) == 2
    return content.replace(real.to_bytes(4, "little"), size.to_bytes(4, "little"))


def overlapping():
    """Two entries of the directory that point to one member."""
    content = archive(W1=npy_header((400, 400)) + bytes(8 * 400 * 400))
    end = content.rindex(b"PK\x05\x06")
    start = content.index(b"PK\x01\x02")
    entry = content[start:end]
    directory = b"".join(entry.replace(b"W1.npy", f"W{k}.npy".encode()) for k in range(1, 10))
    tail = bytearray(content[end:])
    tail[8:10] = tail[10:12] = (9).to_bytes(2, "little")
    tail[12:16] = len(directory).to_bytes(4, "little")
    return content[:start] + directory + bytes(tail)


BOMBS = {
    "a shape of 10 TB in a member of a few bytes": ("npz", archive(W1=npy_header((10**6, 1_250_000)))),
    "a shape beyond all counting": ("npz", archive(W1=npy_header((2**62, 2**62, 0, 3)))),
    "4 GB of zeros, compressed": ("npz", claimed(archive(W1=npy_header((2**29 - 16,)) + bytes(2**20)), 2**32 - 2)),
    "a member of a longer header than 4 GB": ("npz", archive(W1=long_header())),
    "a header nested 9000 deep": ("npz", archive(W1=nested_header())),
    "members that overlap": ("npz", overlapping()),
    "safetensors with a header of 2^60 bytes": ("safetensors", (2**60).to_bytes(8, "little") + b"{}"),
    "safetensors with a header of 20 MB": (
        "safetensors",
        (20 * 2**20).to_bytes(8, "little") + b"{" + b" " * (20 * 2**20),
    ),
    "onnx of 8 million empty nodes": ("onnx", b"\x3a\x80\x80\x80\x08" + b"\x0a\x00" * 2**23),
    "inputs of 10 TB in a file of 128 bytes": ("npy", npy_header((10**6, 1_250_000))),
    "inputs with a header of 4 GB": ("npy", long_header()),
    "inputs with a header nested 9000 deep": ("npy", nested_header()),
    "inputs with no rows of 2^70 numbers": ("npy", npy_header((0, 2**70))),
}
SPARSE = {  # holes: the file system says that the bytes are there
    "inputs of 6 GB in a sparse file": ("npy", npy_header((2**15, 24_576)), 8 * 2**15 * 24_576),
    "safetensors of 6 GB in a sparse file": ("safetensors", (2).to_bytes(8, "little") + b"{}", 6 * 2**30),
}
LIMITED = """
import json, resource, sys
import approxmm, numba.core.compiler
def forbidden(*a, **k): raise SystemExit("reading a model must not take the seconds that kernels take")
numba.core.compiler.compile_extra = forbidden
from approxmm.errors import ApproxmmError
import scipy.special, approxmm.interop, approxmm.data
for module in ("onnx", "safetensors"):
    try: __import__(module)
    except ImportError: pass
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 700 * 2**20,) * 2)
outcome = {}
for path in sys.argv[1:]:
    read = approxmm.load_inputs if path.endswith(".npy") else approxmm.read_model
    try: outcome[path] = repr(read(path))
    except ApproxmmError as error: outcome[path] = f"{type(error).__name__}: {error}"
    except BaseException as error: outcome[path] = f"ESCAPED {type(error).__name__}: {error}"
print(json.dumps(outcome))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of address space are Linux's")
def test_bombs_are_refused_within_700_mib(tmp_path):
    """All in one process that could not take what any of them claims; nothing is compiled to read a model."""
    paths = {}
    for k, (what, (suffix, content, *size)) in enumerate((BOMBS | SPARSE).items()):
        path = tmp_path / f"{k}.{suffix}"
        path.write_bytes(content)
        if size:
            with path.open("r+b") as file:
                file.truncate(len(content) + size[0])
        paths[str(path)] = what
    sound = str(tmp_path / "sound.npz")
    Network((np.ones((30, 20)), np.ones((20, 10)))).save(sound)
    done = subprocess.run([sys.executable, "-c", LIMITED, *paths, sound], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    for path, what in paths.items():
        assert outcome[path].startswith(("DataError: ", "NotAvailableError: reading")), f"{what}: {outcome[path]}"
        assert "\n" not in outcome[path]
        assert path in outcome[path]
    assert outcome[sound] == f"Model({sound}, NumPy archive of 2 arrays: Network(30 – 20 – 10, relu, float64))"
    assert "the limit is 2147483648" in outcome[str(tmp_path / f"{len(BOMBS)}.npy")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOMBS["a shape of 10 TB in a member of a few bytes"][1], "promises 10000000000128 bytes"),
        (BOMBS["4 GB of zeros, compressed"][1], "claims 4294967294 bytes out of"),
        (BOMBS["members that overlap"][1], "its members overlap"),
        (BOMBS["a header nested 9000 deep"][1], "its header is damaged"),
        (BOMBS["a member of a longer header than 4 GB"][1], "claims a length of 4294967295 bytes"),
        (archive(W1=npy_header((2, 3)) + bytes(47)), "promises 176 bytes"),
        (archive(W1=npy_header((2, 3)) + bytes(49)), "promises 176 bytes"),
        (archive(W1=npy_header((-2, 3))), "negative count"),
        (archive(W1=npy_header((1,), "|O") + bytes(8)), "pickled Python objects, which are never loaded"),
        (archive(W1=b"text"), "not a readable .npz"),
    ],
)
def test_archives_that_lie_are_named(tmp_path, content, words):
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    for read in (read_model, Network.load):
        with pytest.raises(DataError, match=words):
            read(path)


def test_an_archive_of_other_things(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_BZIP2) as out:
        out.writestr("W1.npy", npy_header((1, 1)) + bytes(8))
    with pytest.raises(DataError, match="neither stored nor deflated"):
        read_model(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as out:
        out.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"member 'readme.txt' is no .npy array"):
        read_model(tmp_path / "m.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(tmp_path / "m.npz", "w") as out:
            out.writestr("W1.npy", npy_header((1, 1)) + bytes(8))
            out.writestr("W1.npy", npy_header((1, 1)) + bytes(8))
    with pytest.raises(DataError, match="two of one name"):
        read_model(tmp_path / "m.npz")


def test_the_ceiling_is_the_callers(tmp_path):
    np.savez_compressed(tmp_path / "m.npz", W1=np.zeros((300, 400)))
    assert read_model(tmp_path / "m.npz").network.widths == (300, 400)
    with pytest.raises(DataError, match="it unpacks to 960128 bytes, the limit is 960127"):
        read_model(tmp_path / "m.npz", max_bytes=960_127)
    np.save(tmp_path / "x.npy", np.zeros((30, 40), np.uint8))
    assert load_inputs(tmp_path / "x.npy", max_bytes=9600).shape == (30, 40)
    with pytest.raises(DataError, match=r"shape \(30, 40\) takes 9600 bytes, the limit is 9599"):
        load_inputs(tmp_path / "x.npy", max_bytes=9599)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sound file of each kind, as bytes, with its suffix."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("whole")
    W1, W2 = rng.normal(size=(5, 4)), rng.normal(size=(4, 3))
    Network((W1, W2), (W1[0], W2[0]), "tanh").save(folder / "plain.npz")
    np.savez_compressed(folder / "small.npz", W1=W1, W2=W2, activation=np.array("relu"))
    np.save(folder / "x.npy", W1)
    files = {"npz": "plain.npz", "npz compressed": "small.npz", "npy": "x.npy"}
    found = {kind: ((folder / name).read_bytes(), name[-4:]) for kind, name in files.items()}
    try:
        from safetensors.numpy import save

        found["safetensors"] = save({"0.weight": W1, "2.weight": W2[:, :5].T @ W1.T[:4]}), ".safetensors"
    except ImportError:
        pass
    try:
        from onnx import helper, numpy_helper

        nodes = [
            helper.make_node("Gemm", ["x", "W1", "b"], ["h"], alpha=0.5),
            helper.make_node("Div", ["h", "c"], ["d"]),
            helper.make_node("Erf", ["d"], ["e"]),
            helper.make_node("Add", ["e", "one"], ["f"]),
            helper.make_node("Mul", ["f", "h"], ["g"]),
            helper.make_node("Reshape", ["g", "shape"], ["r"]),
            helper.make_node("MatMul", ["r", "W2"], ["y"]),
            helper.make_node("Softmax", ["y"], ["p"]),
        ]
        constants = {"W1": W1, "b": W1[0], "W2": W2, "c": np.sqrt([2.0]), "one": np.ones(1), "shape": np.array([-1, 4])}
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", 11, ["b", 5])],
            [helper.make_tensor_value_info("p", 11, ["b", 3])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        found["onnx"] = helper.make_model(graph).SerializeToString(), ".onnx"
    except ImportError:
        pass
    return found


def outcome(read, path):
    """Return what was read, or the text of an error of ours; any other error is a failure."""
    try:
        return read(path), ""
    except ApproxmmError as error:
        return None, str(error)


@st.composite
def damages(draw):
    """One to three changes of a file: where, as a part of its length; what; and with which bytes."""
    change = st.tuples(st.floats(0, 1), st.sampled_from(["cut", "flip", "put", "in", "out"]), st.binary(max_size=9))
    return draw(st.lists(change, min_size=1, max_size=3))


def damaged(content, changes):
    """Return the file truncated, with bits flipped, bytes replaced, put in or taken out."""
    content = bytearray(content)
    for part, what, extra in changes:
        position = int(part * len(content))
        after = {
            "cut": b"",
            "flip": bytes(byte ^ (1 << len(extra) % 8) for byte in content[position : position + 1]),
            "put": extra,
            "in": extra,
            "out": b"",
        }[what]
        end = {"cut": len(content), "in": position}.get(what, position + max(len(after), 1))
        content[position:end] = after
    return bytes(content)


def check_damage(whole, folder, kind, changes):
    """Hold a damaged file to an error of ours in one line, or to a report: nothing else, no warning, no hang."""
    if kind not in whole:
        pytest.skip(f"the package for {kind} is not installed")
    content, suffix = whole[kind]
    path = folder / f"damaged{suffix}"
    path.write_bytes(damaged(content, changes))
    found, refusal = outcome(load_inputs if suffix == ".npy" else read_model, path)
    assert "\n" not in refusal
    assert len(refusal) < 1200
    if isinstance(found, Model):
        assert json.dumps(found.to_dict(), allow_nan=False)
        assert (found.chain is None) == bool(found.obstacles)


@pytest.mark.parametrize("kind", KINDS)
@given(changes=damages())
def test_damaged_files_end_in_one_line_or_in_a_report(whole, tmp_path_factory, kind, changes):
    check_damage(whole, tmp_path_factory.getbasetemp(), kind, changes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5000)
@given(changes=damages())
def test_thousands_of_damaged_files(whole, tmp_path_factory, kind, changes):
    check_damage(whole, tmp_path_factory.getbasetemp(), kind, changes)


@given(content=st.binary(max_size=200), suffix=st.sampled_from([".npz", ".safetensors", ".onnx", ".npy", ""]))
def test_noise_is_refused(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"noise{suffix}"
    path.write_bytes(content)
    with pytest.raises(ApproxmmError):
        (load_inputs if suffix == ".npy" else read_model)(path)
