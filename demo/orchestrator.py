"""What a small site without a cloud would have hostfence run at quarantine and release. A script: nothing imports it.

``orchestrator.py FILE``: appends what it was told (JSON on standard input) to FILE as one line with a monotonic time,
and says that it is done. The demo reads the file, and starts the machines elsewhere after a release, and only then.
"""

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """One call."""
    told = json.load(sys.stdin)
    with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": time.monotonic(), **told}) + "\n")
    print(json.dumps({"earlier": "enabled", "not_started": []}))


if __name__ == "__main__":
    main()
