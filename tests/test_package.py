"""The gates: style, types, import direction, error tree, names and sizes, so that one command says yes or no."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tracker
from tracker.domain.errors import TrackerError

ROOT = Path(__file__).parents[1]
OURS = ("tracker", "tests", "migrations", "benchmarks", "docs", "docker", ".ci")
LEFT_BEHIND = {"tracker.toml", "uv.lock"}

ATTICS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "models", "types"}
LONGEST_MODULE = 400

# In pieces, because this file is searched too.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("anaconda", "org"),
        ("proxy", "golang", "org"),
    )
]
HOMES = ["/" + name + "/" for name in ("root", "home", "Users")]


def files():
    """Every file of the project: those at the top, and those in its folders; not what a run leaves behind."""
    found = [
        path for path in ROOT.iterdir() if path.is_file() and path.name not in LEFT_BEHIND and ".db" not in path.name
    ]
    for folder in OURS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return found


def run(*command):
    """Run a tool of this environment in the checkout and demand that it agrees."""
    environment = os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


# ------------------------------------------------------------------------------------------------ tools


def test_ruff_finds_nothing():
    run(sys.executable, "-m", "ruff", "check", "--no-cache", ".")


def test_ruff_would_format_nothing():
    run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".")


def test_mypy_finds_nothing():
    # A cache of its own: an editor or a second run may be using the usual one at this moment.
    run(sys.executable, "-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "gate"))


def test_imports_run_one_way():
    run(sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c(['--no-cache', '--no-logo'])")


# ------------------------------------------------------------------------------------------------ errors


@pytest.fixture(scope="module")
def exceptions():
    """Every exception class that is defined in the package, the sandbox apart, which stands alone."""
    found = []
    for module in pkgutil.walk_packages(tracker.__path__, "tracker."):
        if module.name.startswith("tracker.sandbox") or module.name.endswith("__main__"):
            continue
        classes = vars(importlib.import_module(module.name)).values()
        found += [
            c for c in classes if inspect.isclass(c) and c.__module__ == module.name and issubclass(c, BaseException)
        ]
    return found


def test_every_exception_belongs_to_the_tree(exceptions):
    assert len(exceptions) > 20
    assert [found for found in exceptions if not issubclass(found, TrackerError)] == []


def test_every_exception_says_one_sentence(exceptions):
    sentences = {found: (vars(found).get("__doc__") or "").split("\n\n")[0] for found in exceptions}
    assert [found for found, text in sentences.items() if not re.fullmatch(r"[A-Z][^\n.]*\.", text)] == []


def test_no_two_exceptions_have_the_same_code(exceptions):
    codes = [vars(found)["code"] for found in exceptions if "code" in vars(found)]
    assert len(codes) == len(set(codes)) > 1
    assert [code for code in codes if not re.fullmatch(r"[a-z][a-z0-9_]*", code)] == []


# ------------------------------------------------------------------------------------------------ files


def test_no_module_is_an_attic():
    assert [
        path.relative_to(ROOT) for path in files() if path.suffix == ".py" and ATTICS & {path.stem, path.parent.name}
    ] == []


def test_every_module_fits_in_a_head():
    lines = {
        path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in (ROOT / "tracker").rglob("*.py")
    }
    assert {path: count for path, count in lines.items() if count > LONGEST_MODULE} == {}


def test_no_file_names_a_registry_or_a_machine():
    here = [str(ROOT), str(ROOT.parent / "shared")] if len(ROOT.parts) > 2 else []
    named = {}
    for path in files():
        text = path.read_text(encoding="utf-8", errors="replace")
        found = [word for word in (*REGISTRIES, *HOMES, *here) if word in text]
        if found:
            named[str(path.relative_to(ROOT))] = found
    assert named == {}


def test_the_changelog_tells_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_readme_has_the_commands_that_the_build_runs():
    script = ROOT / ".ci" / "run"
    commands = re.findall(r"^  '(.+)'$", script.read_text("utf-8"), re.MULTILINE)
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(commands) == 2
    assert [command for command in commands if command not in readme] == []
    assert os.access(script, os.X_OK)
