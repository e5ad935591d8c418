"""Scripts, styles and pictures, under an address that changes with their content: browsers keep them for good."""

import hashlib
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent / "static"


def fingerprint() -> str:
    """Of all files together: they refer to each other."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


_FILES = StaticFiles(directory=FOLDER)
VERSION = fingerprint()
router = APIRouter()


@router.get("/static/{version}/{name:path}")
async def asset(request: Request, version: str, name: str) -> Response:
    """One file. Under another fingerprint (a page from before an update) it is not kept."""
    answer = await _FILES.get_response(name, request.scope)
    kept = "public, max-age=31536000, immutable" if version == VERSION else "no-cache"
    answer.headers["Cache-Control"] = kept
    return answer
