"""What stands before the server: it answers its own page only, and tells the browser to trust no other."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware: 403 for requests to `protected` paths from other origins; headers for all answers.

    A browser says where a request comes from; whoever says nothing is no browser, and no page is behind it.
    """

    def __init__(self, app: ASGIApp, protected: str) -> None:
        self.app, self.protected = app, protected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app = self.app
        if scope["path"].startswith(self.protected) and is_foreign(Headers(scope=scope)):
            app = JSONResponse({"error": "requests from other origins are refused"}, 403)
        await app(scope, receive, send_with_headers)


def is_foreign(headers: Headers) -> bool:
    """Whether a request comes from a page of another origin, which includes other ports of this machine."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "same-origin")
    own = f"http://{headers.get('host')}"
    return site not in ("same-origin", "none") or (origin is not None and origin != own)
