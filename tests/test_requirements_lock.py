"""The lock installs what `pyproject.toml` asks for, and this checkout."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; [^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+")
WANTED = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]


def pins():
    matches = [PIN.fullmatch(line) for line in LOCK if not line.startswith(("#", "-e "))]
    assert matches
    assert None not in matches, "a line of the lock is no pinned version with hashes"
    return {canonicalize_name(match["name"]): Version(match["version"]) for match in matches}


@pytest.mark.parametrize("text", WANTED)
def test_the_lock_satisfies_what_is_asked_for(text):
    wanted = Requirement(text)
    assert wanted.specifier.contains(pins()[canonicalize_name(wanted.name)], prereleases=True)


def test_the_lock_installs_this_checkout_and_nothing_else_by_path():
    assert [line for line in LOCK if line.startswith("-")] == ["-e ."]
