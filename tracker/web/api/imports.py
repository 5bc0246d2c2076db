"""Many registrations at once."""

from aiohttp import web

from tracker.web.api.operation import Operation, answer, body_of
from tracker.web.api.shapes.imports import BatchIn, BatchOut, FaultyRow, RowResultOut
from tracker.web.looks import shows_several
from tracker.web.services import Services


async def register_batch(request: web.Request, services: Services) -> web.Response:
    """Begin to track many consents that were made elsewhere."""
    rows = (await body_of(request, BatchIn)).rows()
    sound = [row.registration() for row in rows if not isinstance(row, FaultyRow)]
    done = iter(await services.registrar.register_many(sound))
    results = tuple(row.result if isinstance(row, FaultyRow) else RowResultOut.of(next(done)) for row in rows)
    shows_several(request, (row.tracking_id for row in results if row.tracking_id is not None))
    return answer(BatchOut(items=results))


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/consents/batch",
        scope="write",
        summary="Start tracking many consents",
        description=(
            "For consents that were made before they were tracked here: 1 to 500 a request. Answers 200 with what came of each, "
            "in order; some may be refused while the others are tracked. Sending it again does no harm. Their holder is asked "
            "about them within its request rate; what is urgent comes before them, and those that end soonest come first."
        ),
        handle=register_batch,
        look="consent.register_batch",
        body=BatchIn,
        answers={200: BatchOut},
    ),
)
