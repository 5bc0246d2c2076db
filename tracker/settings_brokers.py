"""The section of the configuration that names message brokers; see `settings_sections` for what all sections share."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tracker.domain.broker_url import BrokerAddress, broker_address
from tracker.domain.errors import InvalidRequestError
from tracker.settings_sections import Network, Section


def _broker_url(text: str) -> str:
    try:
        broker_address(text)
    except InvalidRequestError as error:
        raise ValueError(
            "should be a broker's URL such as nats://nats.example:4222, kafka://kafka.example:9092 or "
            "amqp://rabbit.example:5672/vhost, without user name, password and query"
        ) from error
    return text


BrokerUrl = Annotated[str, AfterValidator(_broker_url)]
Server = Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$")]


class BrokerSettings(Section):
    """`[[broker]]`: a message broker that subscriptions may name; without such a table they cannot.

    Attributes:
        url: The broker, as subscriptions name it before the place in it; for RabbitMQ with the virtual host.
        servers: More servers of the same broker, `host:port`, to be tried when the one in `url` is away.
        networks: Private or loopback networks that connections to it may lead to; without TLS all of them.
        username: By which it knows us.
        password_file: File with nothing but the password.
        sasl_mechanism: How Kafka is shown the password.
        ca: PEM bundle that its certificate is checked against; None: the system's.
        certificate: PEM file that we show it.
        key: Its private key.
    """

    url: BrokerUrl
    servers: tuple[Server, ...] = ()
    networks: tuple[Network, ...] = ()
    username: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")] | None = None
    password_file: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def address(self) -> BrokerAddress:
        """The broker, whatever its URL is spelt like."""
        return broker_address(self.url)

    @model_validator(mode="after")
    def _require_what_belongs_together(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("should have both username and password_file, or neither")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("should have both certificate and key, or neither")
        if self.address.family == "rabbitmq" and self.username is None and self.certificate is None:
            raise ValueError("should have username and password_file, or certificate and key: RabbitMQ asks who we are")
        if not self.address.is_encrypted:
            for name in ("ca", "certificate"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"should have a url with TLS (tls, kafka+ssl or amqps): {name} is for nothing else"
                    )
            if not self.networks:
                raise ValueError("should have networks: without TLS only networks that are listed are connected to")
        return self
