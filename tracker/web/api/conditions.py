"""`If-Match`: do it only if nobody has changed the thing meanwhile."""

import re

from aiohttp import hdrs, web

from tracker.web.problems import Problem

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[\s,]*{_TAG}(?:\s*,[\s,]*{_TAG})*[\s,]*")


def require_version(request: web.Request, version: int | None) -> None:
    """Go on if the caller sent no condition, or one that holds.

    Spec: RFC 9110 §13.1.1; tags are compared strongly.

    Args:
        request: The request.
        version: What stands in the thing's ETag; None for what there is and has no versions: then only `*` holds.

    Raises:
        Problem: It is at another version, or the header is none.
    """
    wanted = ",".join(request.headers.getall(hdrs.IF_MATCH, []))
    if hdrs.IF_MATCH not in request.headers or wanted.strip() == "*":
        return
    if _TAGS.fullmatch(wanted) is None:
        raise Problem("invalid_request", 'If-Match is * or entity tags in quotes, such as "7".')
    if version is None or f'"{version}"' not in re.findall(_TAG, wanted):
        raise Problem("version_conflict", None if version is None else f"It is at version {version} now.")
