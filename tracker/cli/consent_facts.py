"""One consent for people: a line for each fact."""

from typing import TYPE_CHECKING

from rich.text import Text

from tracker.cli.output import print_json, print_line, printable, status_text, time_text

if TYPE_CHECKING:
    from tracker.usecases.consult import ConsentView, Known


def _revocation_text(seen: "ConsentView") -> str:
    revocation = seen.consent.overlay.revocation
    if revocation is None:
        return "–"
    told = f"{revocation.state}, asked for {time_text(revocation.requested_at)} by {revocation.revoked_by}"
    if revocation.last_error is not None:
        told += f"; {revocation.last_error}"
    return told + (f"; goes on {time_text(revocation.due_at)}" if revocation.due_at is not None else "")


def _why_not(seen: "ConsentView") -> str:
    """What stands against using it, beside its status."""
    decision, overlay = seen.decision, seen.consent.overlay
    reasons = ["revocation pending"] if overlay.revoking else []
    reasons += ["paused"] if overlay.paused else []
    if decision.is_in_doubt:
        reasons.append(f"in doubt: {', '.join(sorted({c.code for c in decision.contradictions})) or 'asking'}")
    return f"no  ({'; '.join(reasons)})" if reasons else "no"


def print_consent(seen: "ConsentView", *, json: bool) -> None:
    """Print one consent, for people or for programs."""
    from tracker.web.api.shapes.consents import ConsentOut  # noqa: PLC0415

    if json:
        print_json(ConsentOut.of(seen))
        return
    consent, decision = seen.consent, seen.decision
    clock = "" if seen.confirmed else "  (by our clock; the holder has not said so)"
    confirmed_by = f" by {consent.confirmed_by}" if consent.confirmed_by else ""
    facts: dict[str, str | Text] = {
        "consent": f"{consent.provider}/{consent.consent_id}",
        "kind": f"{consent.kind}, {consent.profile}",
        "status": Text.assemble(status_text(seen.effective_status), clock),
        "usable": "yes" if seen.usable else _why_not(seen),
        "since": time_text(decision.since),
        "learned": time_text(consent.learned_at),
        "confirmed": f"{time_text(consent.confirmed_at)}{confirmed_by}",
        "authorize by": time_text(consent.authorization_expiration_date_time),
        "expires": time_text(decision.expiration_date_time),
        "revoked by": _revoked_by(seen) or "–",
        "revocation": _revocation_text(seen),
        "renewal of": consent.base_consent_id or "–",
        "user": consent.user_ref or "–",
        "permissions": ", ".join(consent.permissions) or "–",
        **_limits(seen),
        **({"attest by": time_text(seen.attestation_due_at)} if seen.attestation_due_at else {}),
        "asked next": time_text(seen.next_ask_at),
        "tracking id": consent.tracking_id,
    }
    if seen.known is not None:
        facts = {"known at": time_text(seen.known.at), **facts, **_not_known(seen.known)}
    for label, fact in facts.items():
        print_line(Text.assemble((f"{label:<12}  ", "bold"), Text(printable(fact)) if isinstance(fact, str) else fact))


def _limits(seen: "ConsentView") -> dict[str, str]:
    """A line for how much of its limits is used, if it has any."""
    from tracker.domain.limits import is_nearly_exhausted  # noqa: PLC0415

    told = []
    for limit in seen.limits:
        used = "" if limit.used is None else f"{limit.used:f} of "
        measure = "".join(f" {word}" for word in (limit.currency, limit.period and f"a {limit.period}") if word)
        told.append(f"{limit.name} {used}{limit.maximum:f}{measure}")
    hint = "  (nearly exhausted)" if is_nearly_exhausted(seen.limits) else ""
    return {"limits": "; ".join(told) + hint} if told else {}


def _revoked_by(seen: "ConsentView") -> str | None:
    if seen.known is not None:
        return seen.consent.revoked_by
    return seen.decision.report.revoked_by if seen.decision.report else None


def _not_known(known: "Known") -> dict[str, str]:
    """What nothing on record tells of that time."""
    return {"by entry": str(known.sequence), "not on record": ", ".join(sorted(known.untold)) or "–"}
