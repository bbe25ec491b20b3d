"""The package as a whole: what is installed, how light it is, what it never does."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import approxmm

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "approxmm").rglob("*.py"), *(ROOT / "proofs").rglob("*.py")])


def test_every_package_is_listed_for_installation() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "approxmm").rglob("__init__.py")}
    found |= {"approxmm." + ".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "proofs").rglob("__init__.py")}
    assert sorted(listed) == sorted(found)


def test_import_is_light() -> None:
    """No heavy library is imported, and nothing is compiled, by `import approxmm`."""
    code = (
        "import sys, approxmm;"
        "heavy = {'numpy', 'numba', 'scipy', 'sympy', 'matplotlib', 'pandas', 'sklearn', 'typer'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_every_module_compiles_nothing() -> None:
    code = (
        "import pkgutil, importlib, approxmm, numba.core.compiler as c\n"
        "def forbidden(*a, **k): raise SystemExit('something was compiled at import')\n"
        "c.compile_extra = forbidden\n"
        "for m in pkgutil.walk_packages(approxmm.__path__, 'approxmm.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names_exist_and_are_documented() -> None:
    for name in approxmm.__all__:
        assert getattr(approxmm, name).__doc__
    assert set(approxmm.__all__) <= set(dir(approxmm))


def test_no_pickle_eval_or_network_outside_fetch() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                module = getattr(node, "module", None) or ""
                names = {alias.name.split(".")[0] for alias in node.names} | {module.split(".")[0]}
                assert "pickle" not in names, path
                if path.name != "fetch.py":
                    assert not names & {"requests", "urllib", "http", "socket"}, path


def test_files_and_functions_are_short() -> None:
    """Files of up to 300 lines, functions of up to 75 with their documentation: beyond, two ideas share a room."""
    long = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 300:
            long.append(str(path))
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        # A theorem's builder is a declaration, one entry a step: it is as long as its theorem.
        long += [f"{path}:{f.name}" for f in functions if f.end_lineno - f.lineno > 75 and f.name != "theorem"]
    assert not long


def test_readme_has_its_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install . && approxmm report" in readme
    assert 'pip install ".[test]" && pytest -n 2' in readme


def test_proofs_are_found_in_a_checkout_that_is_not_installed() -> None:
    """From the root of a clone, Python finds the sources there before an installed package."""
    code = "import approxmm, approxmm.proofs; print(len(approxmm.proofs.theorem_names()))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    # Without site-packages its dependencies are missing, so the import must get as far as the folder's own files.
    assert done.returncode == 0 or str(ROOT / "proofs") in done.stderr, done.stderr
