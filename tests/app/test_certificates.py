"""Which files go to whose connections."""

import ssl
from pathlib import Path

import pytest

from tests.certificates import Authority, put
from tests.web.site import settings_for
from tracker.adapters import tls
from tracker.app.certificates import Certificates, tls_towards
from tracker.settings import Settings

ISSUERS = {"one": "https://one.example", "two": "https://two.example"}


def configured(folder: Path, keys: Path, *, with_own: bool, with_ca: bool) -> Settings:
    """Two providers of one client; the first has an authority of its own."""
    plain = settings_for(folder / "tracker.db", keys, ISSUERS).model_dump(exclude_unset=True)
    own = {"transport_certificate": folder / "transport.pem", "transport_key": folder / "transport.key"}
    first, second = plain["provider"]
    return Settings.model_validate(
        {
            **plain,
            "client": [{**plain["client"][0], **(own if with_own else {})}],
            "provider": [{**first, **({"ca": folder / "ca.pem"} if with_ca else {})}, second],
        }
    )


@pytest.mark.parametrize(
    ("with_own", "with_ca", "needing"),
    [
        (False, False, set()),
        (True, False, {"one", "two"}),
        (False, True, {"one"}),
        (True, True, {"one", "two"}),
    ],
)
def test_what_is_configured_is_used_towards_the_provider_alone(
    tmp_path: Path, keys: Path, with_own: bool, with_ca: bool, needing: set[str]
) -> None:
    authority = Authority()
    authority.issue("us.example").write(tmp_path, "transport")
    put(tmp_path / "ca.pem", authority.pem)
    settings = configured(tmp_path, keys, with_own=with_own, with_ca=with_ca)
    assert set(tls_towards(settings)) == needing
    made = Certificates(settings)
    assert bool(made) is bool(needing)
    for name in ISSUERS:
        source = made.towards(name)
        assert (source is not None) is (name in needing)
        if source is not None:
            context = source()
            assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
            ours = [ca for ca in context.get_ca_certs() if "Test Authority" in str(ca["subject"])]
            assert len(ours) == int(with_ca and name == "one")
            assert (tls_towards(settings)[name].certificate is not None) is with_own
    assert made.of_listener("http") is made.of_listener("receiver") is None


async def test_a_renewal_reaches_the_connections_to_providers_also_if_the_files_look_untouched(
    tmp_path: Path, keys: Path
) -> None:
    Authority().issue("us.example").write(tmp_path, "transport")
    made = Certificates(configured(tmp_path, keys, with_own=True, with_ca=False))
    source = made.towards("one")
    assert source is not None
    before = source()
    assert not await made.reload()
    assert source() is before
    Authority().issue("us.example").write(tmp_path, "transport")
    (only,) = made._contexts
    only._state = tls._state(only.files)  # as if the clock of the disk were too coarse to tell
    assert not await made.reload(force=False)
    assert source() is before
    assert await made.reload()
    assert source() is not before
