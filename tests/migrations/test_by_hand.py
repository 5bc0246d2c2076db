"""`alembic` on the command line, and the migrations inside an installed package."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tracker.adapters.store import migrate
from tracker.adapters.store.tables import metadata

ROOT = Path(__file__).parents[2]


def alembic(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "alembic", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def names(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return found - {"alembic_version"}


def test_alembic_by_hand_takes_a_database_up_and_down(tmp_path: Path) -> None:
    path = tmp_path / "by hand.db"
    url = f"url=sqlite:///{path}"
    newest = migrate.newest()
    for command, expected in (
        (("upgrade", "head"), ""),
        (("current",), f"{newest} (head)"),
        (("check",), "No new upgrade operations detected."),
        (("downgrade", "base"), ""),
        (("current",), ""),
    ):
        done = alembic("-x", url, *command)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == expected
        if command[0] == "upgrade":
            assert names(path) == set(metadata.tables)
    assert names(path) == set()


def test_alembic_by_hand_asks_for_the_database(tmp_path: Path) -> None:
    done = alembic("current")
    assert done.returncode == 1
    assert "alembic -x url=" in done.stderr
    assert "tracker db upgrade" in done.stderr


def test_a_migration_by_hand_that_fails_leaves_nothing_half_done(tmp_path: Path) -> None:
    """SQLite's driver begins no transaction for statements that change the schema, unless it is told to."""
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    (tmp_path / "migrations" / "versions" / "9999_fails.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = '9999', '{migrate.newest()}', None, None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half_done (a TEXT)')\n"
        "    raise RuntimeError('halfway')\n"
    )
    path = tmp_path / "tracker.db"
    done = alembic("-x", f"url=sqlite:///{path}", "upgrade", "head", folder=tmp_path)
    assert done.returncode == 1
    assert "halfway" in done.stderr
    assert names(path) == set()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder laid out as the wheel is: what the build's configuration packs, where it puts it."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    site = tmp_path / "site"
    no_bytecode = shutil.ignore_patterns("__pycache__")
    for package in wheel["packages"]:
        shutil.copytree(ROOT / package, site / package, ignore=no_bytecode)
    for source, target in wheel["force-include"].items():
        shutil.copytree(ROOT / source, site / target, ignore=no_bytecode)
    return site


_UPGRADE = """
import sys
from pathlib import Path
import tracker
from tracker.adapters.store import migrate
from tracker.adapters.store.sqlite import one_transaction
with one_transaction(Path("installed.db")) as connection:
    migrate.upgrade(connection)
    print(tracker.__file__, migrate.current(connection))
"""


def test_an_installed_package_brings_its_migrations(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _UPGRADE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(installed / "tracker" / "__init__.py"), migrate.newest()]
    assert names(tmp_path / "installed.db") == set(metadata.tables)


def test_a_package_without_migrations_says_so(installed: Path, tmp_path: Path) -> None:
    shutil.rmtree(installed / "tracker" / "migrations")
    done = subprocess.run(
        [sys.executable, "-c", _UPGRADE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "install the package again" in done.stderr
