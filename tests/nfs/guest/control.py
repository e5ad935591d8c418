"""Inside an emulated machine: does what the tests ask, over the network that they alone use.

``POST /sh`` runs a shell script, ``POST /stat`` looks at a file as a program that knows nothing of caches would.
"""

import json
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from typing_extensions import override

PORT = 9000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = json.dumps(_run(asked) if self.path == "/sh" else _stat(asked)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    @override
    def log_message(self, *_: object) -> None:
        pass


def _run(script: str) -> dict[str, object]:
    done = subprocess.run(
        ["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return {"status": done.returncode, "out": done.stdout.decode(errors="replace")}


def _stat(path: str) -> dict[str, object]:
    return {"mtime_ns": Path(path).stat().st_mtime_ns}


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
