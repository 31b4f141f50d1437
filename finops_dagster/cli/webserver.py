"""Dagster's web server with one more route: the pages that runs wrote, which assets link to.

What the pages say lives in report, quality and responsible_ai; starting it in `ui`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from finops_dagster.defs.metadata import PAGES

_FOLDERS = ("reports", "replays")
"""Folders of the state that hold pages; nothing else of it is shown."""
_SUFFIXES = (".html", ".json", ".png", ".svg", ".css")
_HEADERS = {
    # Pages carry text of bills and logs: their scripts run apart from the UI that serves them.
    "Content-Security-Policy": "sandbox allow-scripts allow-popups allow-downloads",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Webserver(DagsterWebserver[WorkspaceProcessContext, WorkspaceRequestContext]):
    """Dagster's own, and `/pages/...` from the state folder `root`."""

    def __init__(self, context: WorkspaceProcessContext, root: Path) -> None:
        self._root = root.resolve()
        super().__init__(context)

    def build_routes(self) -> list[BaseRoute]:
        routes: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        return [Route(f"{PAGES}{{page:path}}", self._page), *routes]

    async def _page(self, request: Request) -> Response:
        asked = (self._root / request.path_params["page"]).resolve()
        inside = asked.is_relative_to(self._root) and asked.relative_to(self._root).parts[:1]
        if not inside or inside[0] not in _FOLDERS or asked.suffix not in _SUFFIXES:
            return PlainTextResponse("There is no such page.", status_code=404)
        if not asked.is_file():
            return PlainTextResponse("This page is gone: run its asset again.", status_code=404)
        return FileResponse(asked, headers=_HEADERS)


def main() -> None:
    """Serve until told to stop. The environment names Dagster's home and the settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    told = parser.parse_args()
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance,
            version=__version__,
            workspace_load_target=WorkspaceFileTarget([told.workspace]),
            code_server_log_level="warning",
        ) as context,
    ):
        app = Webserver(context, told.state).create_asgi_app()
        uvicorn.run(app, host=told.host, port=told.port, log_level="warning")


if __name__ == "__main__":
    main()
