"""The section of the configuration that names the certificates that we show to subscribers."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from tracker.settings_sections import Section


class ClientCertificateSettings(Section):
    """`[[client_certificate]]`: a certificate that subscriptions may ask us to show to their endpoint (mutual TLS).

    Attributes:
        name: What subscriptions call it; unique.
        certificate: PEM file.
        key: PEM file.
        ca: PEM bundle that the endpoint's certificate is checked against; None: the system's.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    certificate: Path
    key: Path
    ca: Path | None = None
