"""Exports as jobs: asked for, followed, fetched, deleted."""

from aiohttp import hdrs, web

from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import KEY, Operation, answer, body_of, query_of
from tracker.web.api.shapes.exports import ExportIn, ExportOut, ExportsOut
from tracker.web.api.shapes.fields import PageQuery
from tracker.web.looks import shows_export
from tracker.web.services import Services

_ALL = "/v1/audit/exports"
_ONE = _ALL + "/{export_id}"


class ExportsQuery(PageQuery):
    """A page of the exports."""


async def ask(request: web.Request, services: Services) -> web.Response:
    """Ask for one."""
    given = await body_of(request, ExportIn)
    shows_export(request, **given.model_dump(by_alias=True))
    made = await services.exports.ask(given.request(), request[KEY].id)
    return answer(ExportOut.of(made), status=202, headers={str(hdrs.LOCATION): f"{_ALL}/{made.id}"})


async def listing(request: web.Request, services: Services) -> web.Response:
    """List them. There are few: all are read, and cut into pages here."""
    query = query_of(request, ExportsQuery)
    before = None if query.cursor is None else key_of(query.cursor, query)
    rest = [one for one in await services.exports.listed() if before is None or one.id < before]
    page = rest[: query.limit]
    next_cursor = cursor_after(page[-1].id, query) if len(rest) > len(page) else None
    return answer(ExportsOut(items=tuple(map(ExportOut.of, page)), next_cursor=next_cursor))


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one."""
    export_id = request.match_info["export_id"]
    shows_export(request, export_id=export_id)
    return answer(ExportOut.of(await services.exports.get(export_id)))


async def fetch(request: web.Request, services: Services) -> web.StreamResponse:
    """Give one of its files, or a part of that."""
    names = request.match_info
    shows_export(request, export_id=names["export_id"], file_name=names["file_name"])
    path = await services.exports.file(names["export_id"], names["file_name"])
    headers = {
        str(hdrs.CONTENT_TYPE): "application/octet-stream",
        str(hdrs.CONTENT_DISPOSITION): f'attachment; filename="{path.name}"',
    }
    return web.FileResponse(path, headers=headers)


async def delete(request: web.Request, services: Services) -> web.Response:
    """Delete one."""
    await services.exports.delete(request.match_info["export_id"])
    return web.Response(status=204)


OPERATIONS = (
    Operation(
        method="POST",
        path=_ALL,
        scope="audit",
        summary="Ask for an export",
        description=(
            "Makes a job that a worker writes, of the journal as it is when that begins. It survives restarts. Needs "
            "`[audit] exports_folder`; `exports_keep_days` after its end it is deleted."
        ),
        handle=ask,
        look="export.ask",
        body=ExportIn,
        answers={202: ExportOut},
        problems=("exports_not_configured", "too_many_exports", "consent_not_found"),
    ),
    Operation(
        method="GET",
        path=_ALL,
        scope="audit",
        summary="List the exports",
        description="The last asked for first.",
        handle=listing,
        look="export.list",
        query=ExportsQuery,
        answers={200: ExportsOut},
        problems=("cursor_invalid",),
    ),
    Operation(
        method="GET",
        path=_ONE,
        scope="audit",
        summary="Get one export",
        description="How far it has come, and the names of its files.",
        handle=show,
        look="export.show",
        answers={200: ExportOut},
        problems=("export_not_found",),
    ),
    Operation(
        method="GET",
        path=_ONE + "/files/{file_name}",
        scope="audit",
        summary="Fetch a file of an export",
        description=(
            "As it lies on the disk; `Range` is understood. The files lie with the process that wrote them, or in a folder "
            "that several share; any other answers `export_elsewhere`."
        ),
        handle=fetch,
        look="export.fetch",
        answers={200: None, 206: None, 416: None},
        is_file=True,
        problems=("export_not_found", "export_elsewhere"),
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        scope="audit",
        summary="Delete an export",
        description="With its files; one that is being written ends.",
        handle=delete,
        answers={204: None},
        problems=("export_not_found",),
    ),
)
