from pathlib import Path

import pytest

from tests.web.site import write_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of our key files."""
    return write_keys(tmp_path_factory.mktemp("our-keys"))
