"""Which headers, signatures and credentials a subscriber may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import InvalidRequestError
from tracker.domain.sending import AS_USUAL, ClientCredentials, Sending, StaticHeader, check_sending

GOOD = ClientCredentials(token_url="https://as.example/token", client_id="c", client_secret="s")


def with_headers(*headers: tuple[str, str]) -> Sending:
    return Sending(headers=tuple(StaticHeader(name, value) for name, value in headers))


@pytest.mark.parametrize(
    "sending",
    [
        AS_USUAL,
        Sending(signatures=("v1", "v1a")),
        with_headers(("X-Api-Key", "k"), ("Authorization", "Bearer a b c"), ("x", "!" * 4_096)),
        with_headers(*((f"X-{n}", "v") for n in range(20))),
        Sending(credentials=GOOD),
    ],
)
def test_what_can_be_sent_is_taken(sending: Sending) -> None:
    check_sending(sending)


REFUSED: dict[str, tuple[Sending, str]] = {
    "no signature": (Sending(signatures=()), "signatures are"),
    "ours alone": (Sending(signatures=("v1a",)), "signatures are"),
    "twice": (Sending(signatures=("v1", "v1")), "signatures are"),
    "too many": (with_headers(*((f"X-{n}", "v") for n in range(21))), "at most 20"),
    "one twice": (with_headers(("X-A", "1"), ("x-a", "2")), "given twice"),
    "no name": (with_headers(("", "v")), "A header's name"),
    "a blank in the name": (with_headers(("X A", "v")), "A header's name"),
    "a colon in the name": (with_headers(("X:A", "v")), "A header's name"),
    "a long name": (with_headers(("X" * 129, "v")), "A header's name"),
    "no value": (with_headers(("X-A", "")), "value of the header X-A"),
    "a long value": (with_headers(("X-A", "v" * 4_097)), "value of the header X-A"),
    "a line feed": (with_headers(("X-A", "v\nX-B: w")), "value of the header X-A"),
    "a line feed at the end": (with_headers(("X-A", "v\n")), "value of the header X-A"),
    "a blank at the end": (with_headers(("X-A", "v ")), "value of the header X-A"),
    "other letters": (with_headers(("X-A", "ö")), "value of the header X-A"),
    "two authorizations": (Sending(headers=(StaticHeader("authorization", "x"),), credentials=GOOD), "is ours"),
    "no client": (Sending(credentials=ClientCredentials(token_url="u", client_id="", client_secret="s")), "client_id"),
    "a secret of two lines": (
        Sending(credentials=ClientCredentials(token_url="u", client_id="c", client_secret="s\n")),
        "client_secret",
    ),
    "a scope with two blanks": (
        Sending(credentials=ClientCredentials(token_url="u", client_id="c", client_secret="s", scope="a  b")),
        "scope is",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_is_refused_in_one_sentence_without_its_value(name: str) -> None:
    sending, words = REFUSED[name]
    with pytest.raises(InvalidRequestError, match=words) as caught:
        check_sending(sending)
    assert str(caught.value).endswith(".")
    assert "X-B: w" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Cookie"),
        *("Proxy-Authorization", "Proxy-Connection", "Content-Type", "content-length", "Content-Encoding", "Forwarded"),
        *("webhook-id", "Webhook-Signature", "WEBHOOK-TIMESTAMP", "webhook-anything", "traceparent", "X-Forwarded-For"),
        *("User-Agent", "Accept-Encoding"),
    ],
)
def test_headers_of_the_connection_and_of_ours_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="set by the connection or by us"):
        check_sending(with_headers((name, "v")))


@given(st.text(max_size=20), st.text(max_size=20))
def test_what_is_taken_is_one_header_and_no_more(name: str, value: str) -> None:
    try:
        check_sending(with_headers((name, value)))
    except InvalidRequestError:
        return
    line = f"{name}: {value}"
    assert line.isascii()
    assert line.isprintable()
    assert line == line.strip()
    assert ":" not in name


@pytest.mark.parametrize(
    "url", ["nats://broker.example/x", "amqps://broker.example/?exchange=x", "file:///etc/passwd", ""]
)
def test_tokens_are_fetched_from_no_broker(url: str) -> None:
    credentials = ClientCredentials(token_url=url, client_id="us", client_secret="s3cret")
    with pytest.raises(InvalidRequestError, match="token_url"):
        check_sending(Sending(credentials=credentials))
