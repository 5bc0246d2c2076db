"""The commands of the handbook take the keys of consents out of a copy of a SQLite database, and put them back."""

import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.contract.test_consent_keys import fill, one_with_everything
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore

HANDBOOK = Path(__file__).parents[3] / "docs" / "operations.md"


def the_command() -> str:
    (found,) = re.findall(r"python3 -c '\n([^']*consent-keys\.db[^']*)'", HANDBOOK.read_text("utf-8"))
    return str(found)


def restored(folder: Path) -> Path:
    return Path(shutil.copy(folder / "backup.db", folder / "restored.db"))


async def test_a_copy_without_keys_says_nothing_about_anybody_until_they_are_put_back(
    database: Path, tmp_path: Path
) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    kept = one_with_everything()
    await fill(store, kept)
    await store.close()
    shutil.copy(database, tmp_path / "backup.db")
    subprocess.run([sys.executable, "-c", the_command()], cwd=tmp_path, check=True)
    apart = sqlite3.connect(tmp_path / "consent-keys.db")
    keys = [bytes(row[0]) for row in apart.execute("SELECT key FROM consent_key")]
    assert len(keys) == 2
    seen = b"".join(path.read_bytes() for path in tmp_path.glob("backup.db*"))
    assert [key for key in keys if key[:32] in seen] == []
    store = SqlStore(SqliteDatabase(restored(tmp_path)), SystemIds())
    found = await store.get_consent(kept.tracking_id)
    assert found is not None
    assert (found.terms, found.user_ref, found.consent_id) == (None, None, kept.consent_id)
    await store.close()
    with sqlite3.connect(tmp_path / "restored.db") as again:
        again.execute("ATTACH ? AS apart", [str(tmp_path / "consent-keys.db")])
        again.execute("INSERT INTO main.consent_key SELECT * FROM apart.consent_key")
    again.close()
    apart.close()
    store = SqlStore(SqliteDatabase(tmp_path / "restored.db"), SystemIds())
    assert await store.get_consent(kept.tracking_id) == replace(kept, last_sequence=1)
    await store.close()
