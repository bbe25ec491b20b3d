"""Discovery, the cache, parallel runs, errors, and the JSON contract."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from approxmm import proofs

ONE = "depth_needs_a_larger_ratio"
ROOM = Path(proofs.__file__).parent
CHECKOUT = Path(__file__).parents[2]


def test_every_theorem_file_is_found():
    files = {path.stem for path in ROOM.glob("*.py") if "\ndef theorem()" in path.read_text(encoding="utf-8")}
    assert files == set(proofs.theorem_names()) == set(proofs.theorems())


def test_the_room_imports_nothing_of_the_package():
    for path in ROOM.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "import approxmm" not in source
        assert "from approxmm" not in source


def test_unknown_names_are_one_line_with_a_remedy():
    with pytest.raises(proofs.UnknownTheoremError) as caught:
        proofs.prove("arc_cosine_kernle")
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert "'arc_cosine_kernle'" in message
    assert "arc_cosine_kernel" in message
    assert "\n" not in message


def test_workers_must_be_positive():
    with pytest.raises(ValueError, match="workers: 0 is below 1"):
        proofs.prove(ONE, workers=0)


def test_cached_results_are_equal_and_marked(results, cache_dir):
    seen = []
    again = proofs.prove(
        cache_dir=cache_dir, progress=lambda done, total, result: seen.append((done, total, result.name))
    )
    assert again == results
    assert all(result.cached for result in again)
    assert [done for done, _, _ in seen] == list(range(1, len(results) + 1))
    assert not any(result.cached for result in results)


def test_a_damaged_or_foreign_cache_file_is_ignored(tmp_path):
    first = proofs.prove(ONE, cache_dir=tmp_path)
    (stored,) = tmp_path.glob("*.json")
    for damage in (
        "{",
        "[]",
        json.dumps({**first[0].to_dict(), "name": "another"}),
        '{"steps": [{"verdict": "proved"}]}',
    ):
        stored.write_text(damage, encoding="utf-8")
        (again,) = proofs.prove(ONE, cache_dir=tmp_path)
        assert not again.cached
        assert again.proved


def test_a_change_of_content_misses_the_cache(tmp_path, monkeypatch):
    cache = importlib.import_module(f"{proofs.__name__}.cache")
    proofs.prove(ONE, cache_dir=tmp_path)
    monkeypatch.setattr(cache, "content_key", lambda: "another")
    (result,) = proofs.prove(ONE, cache_dir=tmp_path)
    assert not result.cached
    assert [path.name for path in tmp_path.glob("*.json")] == [f"{ONE}-another.json"]


def test_no_cache_is_written_when_not_wanted(tmp_path):
    proofs.prove(ONE, cache_dir=tmp_path, use_cache=False)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_cache_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert proofs.prove(ONE, cache_dir=blocked)[0].proved


def test_order_and_repetitions_of_names():
    names = ["more_draws_than_nodes", ONE, ONE]
    assert [result.name for result in proofs.prove(names, workers=1, use_cache=False)] == names[:2]


def test_json_contract(results):
    document = json.loads(json.dumps(proofs.summary(results)))
    assert set(document) == {"theorems", "steps", "details"}
    assert set(document["steps"]) == {"symbolic", "numeric", "cited", "failed"}
    keys = {"name", "kind", "verdict", "explanation", "formula_latex", "evidence", "seconds"}
    for detail in document["details"]:
        assert set(detail) == {"name", "title", "statement", "assumptions", "sources", "steps"}
        assert all(set(step) == keys and step["seconds"] >= 0 for step in detail["steps"])
    assert [proofs.TheoremResult.from_dict(detail) for detail in document["details"]] == results


@pytest.mark.parametrize("package", ["approxmm.proofs", "proofs"])
def test_spawned_workers_under_either_name(package, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        f"import importlib\nif __name__ == '__main__':\n    p = importlib.import_module('{package}')\n"
        f"    r = p.prove(['{ONE}', 'subspace_screening_error_is_bounded'], workers=2, use_cache=False)\n"
        "    assert all(x.proved for x in r) and len(r) == 2\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, str(script)], check=True, timeout=120, env={"PYTHONPATH": str(CHECKOUT)})


def test_without_a_main_file_the_run_still_ends():
    code = (
        f"from approxmm import proofs; assert len(proofs.prove(['{ONE}', 'arc_cosine_kernel'], use_cache=False)) == 2"
    )
    subprocess.run([sys.executable, "-"], input=code, text=True, check=True, timeout=120, stderr=subprocess.DEVNULL)
