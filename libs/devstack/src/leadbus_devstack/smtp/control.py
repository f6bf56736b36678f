"""The control port: HTTP, loopback, JSON."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Response

from leadbus_devstack.smtp.faults import Faults
from leadbus_devstack.smtp.server import MailServer


def create_app(server: MailServer) -> FastAPI:
    """`GET|PUT|DELETE /faults`, `POST /reset` (mails, faults and connections gone), `GET /status`."""
    router = APIRouter()

    @router.get("/faults")
    async def read_faults() -> Faults:
        return server.faults

    @router.put("/faults")
    async def set_faults(faults: Faults) -> Faults:
        await server.apply(faults)
        return faults

    @router.delete("/faults", status_code=204)
    async def clear_faults() -> Response:
        await server.apply(Faults())
        return Response(status_code=204)

    @router.post("/reset", status_code=204)
    async def reset() -> Response:
        server.cut_all()
        await server.apply(Faults())
        server.mailbox.clear()
        return Response(status_code=204)

    @router.get("/status")
    async def status() -> dict[str, object]:
        return {
            "smtp": f"{server.host}:{server.port}",
            "mail_dir": str(server.mailbox.folder),
            "connections": len(server.connections),
            "messages": len(server.mailbox.messages()),
        }

    app = FastAPI(title="Leadbus development SMTP server", docs_url=None, redoc_url=None)
    app.include_router(router)
    return app
