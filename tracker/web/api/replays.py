"""Telling subscribers again, by jobs; and trying a filter before anybody subscribes by it."""

from aiohttp import hdrs, web

from tracker.web.api.answers import with_answers
from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, body_of, query_of
from tracker.web.api.shapes.fields import PageQuery
from tracker.web.api.shapes.previews import PreviewIn, PreviewOut
from tracker.web.api.shapes.replays import FollowedJobOut, JobOut, JobsOut, ReplayIn
from tracker.web.looks import shows_entries, shows_nothing, shows_several
from tracker.web.services import Services

_OF = "/v1/subscriptions/{subscription_id}"
_JOB = _OF + "/jobs/{job_id}"


class JobsQuery(PageQuery):
    """A page of a subscription's jobs."""


async def ask(request: web.Request, services: Services) -> web.Response:
    """Ask for a job."""
    given = await body_of(request, ReplayIn)
    subscription_id = request.match_info["subscription_id"]
    made = await services.resending.replays.ask(subscription_id, given.request())
    place = {str(hdrs.LOCATION): f"/v1/subscriptions/{made.subscription_id}/jobs/{made.id}"}
    return answer(JobOut.of(made), status=202, headers=place)


async def listing(request: web.Request, services: Services) -> web.Response:
    """List the jobs of a subscription. There are few: all are read, and cut into pages here."""
    query = query_of(request, JobsQuery)
    before = None if query.cursor is None else key_of(query.cursor, query)
    found = await services.resending.replays.listed(request.match_info["subscription_id"])
    rest = [one for one in found if before is None or one.id < before]
    page = rest[: query.limit]
    next_cursor = cursor_after(page[-1].id, query) if len(rest) > len(page) else None
    return answer(JobsOut(items=tuple(JobOut.of(one) for one in page), next_cursor=next_cursor))


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one."""
    replays, names = services.resending.replays, request.match_info
    found = await replays.get(names["subscription_id"], names["job_id"])
    job = FollowedJobOut.with_failures(found, tuple(await replays.not_taken(found)))
    keys = dict.fromkeys(failure.tracking_id for failure in job.failures)
    if keys:
        shows_several(request, keys, subscription=names["subscription_id"], job=names["job_id"])
    else:
        shows_nothing(request)
    shown = await with_answers(request, services, names["subscription_id"], job.failures)
    return answer(job.model_copy(update={"failures": shown}))


async def cancel(request: web.Request, services: Services) -> web.Response:
    """Have one end."""
    names = request.match_info
    return answer(JobOut.of(await services.resending.replays.cancel(names["subscription_id"], names["job_id"])))


async def preview(request: web.Request, services: Services) -> web.Response:
    """Try a filter."""
    given = await body_of(request, PreviewIn)
    found = await services.resending.previews.of(given.wanted())
    if found.newest:
        shows_entries(request, len(found.newest), (), last=found.newest[0].sequence, private=False)
    else:
        shows_nothing(request)
    return answer(PreviewOut.of(found))


_NOT_FOUND = ("subscription_not_found", "job_not_found")

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/subscriptions/preview",
        scope="read",
        summary="Try a filter",
        description="What of the last 1,000 entries a subscription with this filter would get. Nothing is kept.",
        handle=preview,
        look="subscription.preview",
        body=PreviewIn,
        answers={200: PreviewOut},
    ),
    Operation(
        method="POST",
        path=f"{_OF}/replay",
        scope="write",
        summary="Tell a subscriber again",
        description=(
            "Makes a job that posts what is chosen, up to the `cursor`, by the subscription's filter of then: under the same "
            "`webhook-id`, with `redelivered: true` beside the entry's members, in order for each consent, beside what is new "
            "and never faster than `per_second`. The jobs of a subscription run one after the other, and wait while it is "
            "paused, failing or disabled. A dead letter that is taken is none any more."
        ),
        handle=ask,
        body=ReplayIn,
        answers={202: JobOut},
        problems=("subscription_not_found", "not_resendable", "too_many_jobs"),
    ),
    Operation(
        method="GET",
        path=f"{_OF}/jobs",
        scope="read",
        summary="List the jobs of a subscription",
        description="The last asked for first. Those that are over are kept for 30 days, and no more than 100 of them.",
        handle=listing,
        query=JobsQuery,
        answers={200: JobsOut},
        problems=("subscription_not_found", "cursor_invalid"),
    ),
    Operation(
        method="GET",
        path=_JOB,
        scope="read",
        summary="Get one job",
        description="How far it has come, and what has failed in it.",
        handle=show,
        look="subscription.job",
        answers={200: FollowedJobOut},
        problems=_NOT_FOUND,
    ),
    Operation(
        method="POST",
        path=f"{_JOB}/cancel",
        scope="write",
        summary="Cancel a job",
        description="What is under way may still arrive, and is counted. A job that is over stays as it is.",
        handle=cancel,
        answers={200: JobOut},
        problems=_NOT_FOUND,
    ),
)
