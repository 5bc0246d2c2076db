import shutil
from pathlib import Path

import pytest

from tests.journal.drafts import ENTRIES, Signer, export


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Path:
    """A whole export that the signer signed; not to be touched."""
    return export(tmp_path_factory.mktemp("good") / "export", ENTRIES, signer)


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(good, tmp_path / "copy"))
