from tests.web.conftest import keys, site

__all__ = ["keys", "site"]
