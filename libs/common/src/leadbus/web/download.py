"""Answers that are somebody's bytes."""

from __future__ import annotations

from fastapi import Response


def download(content: bytes, name: str) -> Response:
    """Bytes as they came, as a file of this name; the headers of every answer keep browsers from guessing."""
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
