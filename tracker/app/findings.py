"""What a check finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer.

    Attributes:
        subject: What was looked at.
        text: What was found; if it is not well, with the fix.
        ok: Whether it is well.
        stops: Whether the service would not start because of it.
        warns: Whether somebody should see to it soon, although it is well.
        remedy: The next step towards being well; empty: what the text says.
    """

    subject: str
    text: str
    ok: bool
    stops: bool = False
    warns: bool = False
    remedy: str = ""
