"""What one ecosystem says, spells or asks for stands in its profile and nowhere else.

The rest of the tracker may say in a docstring, in a paragraph that begins with `Spec:` or `Conflict:`, where a rule comes
from. Everything else is looked at, comments too: what is explained there by one ecosystem is usually true of no other.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TRACKER = Path(__file__).parents[2] / "tracker"
ROOMS = ("domain", "journal", "usecases", "web", "adapters", "ports", "worker.py")

EXAMPLES = frozenset({"web/openapi.py", "web/api/examples.py"})
"""Files that show a reader of the API what values look like; they may show those of a real ecosystem."""

WORDS = re.compile(
    r"""
    uae | emirat | dubai | nebras | cbuae | al.?tareq                                      # who
    | open.?finance | api.?hub | \blfis?\b                                                # its words for its parts
    | account.?access | (payment|insurance).?consent | service.?initiation | insurance    # its kinds, paths and types
    | fx.?quote | account.?opening
    | openid\ (accounts|payments)                                                         # its scopes
    | (?-i:                                                                               # its members and codes
        (Creation|StatusUpdate|Expiration|Event)DateTime | Event(Type|Resource)\b
        | BaseConsentId | RevokedBy | ControlParameters | PaymentId | InitiatedByUser
        | ["'](Data|Meta|Links|Errors|Code|message)["'](?=\]|,|\)) | ["']Generic
      )
    """,
    re.IGNORECASE | re.VERBOSE,
)
SOURCE_PARAGRAPH = re.compile(r"^[ \t]*(?:\"\"\")?(?:Spec|Conflict):.*?(?=^[ \t]*$|\"\"\")", re.DOTALL | re.MULTILINE)


def named_in(text: str) -> Iterator[tuple[int, str]]:
    """Each word of a real ecosystem in a module, with its line."""
    blanked = SOURCE_PARAGRAPH.sub(lambda found: "\n" * found[0].count("\n"), text)
    for number, line in enumerate(blanked.splitlines(), 1):
        for found in WORDS.finditer(line):
            yield number, found[0]


def modules() -> list[str]:
    found: list[Path] = []
    for room in ROOMS:
        place = TRACKER / room
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    names = [module.relative_to(TRACKER).as_posix() for module in found if module.is_file()]
    return [name for name in names if name not in EXAMPLES]


@pytest.mark.parametrize("module", modules())
def test_module_names_no_ecosystem(module: str) -> None:
    assert list(named_in((TRACKER / module).read_text())) == []


def test_there_are_modules_to_look_at() -> None:
    assert {"domain", "journal", "adapters", "ports"} <= {name.split("/")[0] for name in modules()}


@pytest.mark.parametrize(
    "line",
    [
        'PROFILE = "uae-v2.1"',
        "from tracker.profiles.uae_v2_1 import UAE_V2_1",
        'if kind == "account-access":',
        "class AccountAccess:",
        'path = "/open-finance/payment/v2.1/payment-consents"',
        'type = "urn:openfinanceuae:service-initiation-consent:v2.1"',
        'scope = "openid accounts"',
        'kind is Kind.INSURANCE  # "insurance"',
        'since = data["StatusUpdateDateTime"]',
        'body["Data"]',
        'claims.get("message")',
        'code.startswith("Generic")',
        'revoked_by == "TPP.InitiatedByUser"',
        "# the LFI says so",
        "# what the API Hub sends",
        "Family.FX_QUOTE",
        'ZONE = "Asia/Dubai"',
        '"""Spec: RFC 7515."""; KIND = "payment-consents"',
    ],
)
def test_a_name_is_found(line: str) -> None:
    assert list(named_in(f'"""A module."""\n\n{line}\n')) != []


@pytest.mark.parametrize(
    "text",
    [
        '"""Statuses.\n\nSpec: UAE Open Finance v2.1, "Consent States";\n    other LFIs too.\n"""\n',
        '"""Statuses.\n\n    Conflict: Nebras says otherwise.\n    """\n',
        "base_consent_id, revoked_by, event_type, status_date_time = fulfilled(quoted)",
        "from urllib.parse import quote",
        'Status.AWAITING_AUTHORIZATION = "AwaitingAuthorization"',
        'message = str(error)\nentry["data"]["code"]',
    ],
)
def test_what_is_no_ecosystems_is_let_pass(text: str) -> None:
    assert list(named_in(text)) == []


def test_names_after_a_source_paragraph_are_found() -> None:
    text = '"""A module.\n\nSpec: UAE Open Finance.\n\nLike all LFIs.\n"""\nKIND = "insurance"\n'
    assert [number for number, _ in named_in(text)] == [5, 7]
