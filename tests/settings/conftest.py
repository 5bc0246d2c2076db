import pytest

from tests.settings.examples import KEY_FILES
from tracker.domain.errors import ConfigurationError
from tracker.settings import load_settings


@pytest.fixture
def folder(tmp_path):
    """A working directory in which every key file of the examples exists."""
    (tmp_path / "keys").mkdir()
    for name in KEY_FILES:
        (tmp_path / "keys" / name).touch()
    return tmp_path


@pytest.fixture
def load(folder):
    def load(text, environ=None, known_profiles=("uae-v2.1",)):
        (folder / "tracker.toml").write_text(text, encoding="utf-8")
        return load_settings(environ or {}, folder, known_profiles)

    return load


@pytest.fixture
def refusal(load):
    """Load a file that must be refused, and give the sentence."""

    def refusal(text, environ=None):
        with pytest.raises(ConfigurationError) as caught:
            load(text, environ)
        sentence = str(caught.value)
        assert sentence.isprintable()
        assert sentence.endswith(".")
        return sentence

    return refusal
