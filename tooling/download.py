#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Download one file with short timeouts and a progress line.

download.py --probe URL      exit 0 when the server answers
download.py URL FILE         write FILE; resumes nothing, retries nothing
"""

import sys
import time
import urllib.request


def main():
    probe = sys.argv[1] == "--probe"
    url = sys.argv[2] if probe else sys.argv[1]
    try:
        request = urllib.request.Request(url,
                                         method="HEAD" if probe else "GET")
        with urllib.request.urlopen(request, timeout=8) as answer:
            if probe:
                return 0
            total = int(answer.headers.get("Content-Length") or 0)
            done, shown = 0, time.time()
            with open(sys.argv[2], "wb") as out:
                while True:
                    block = answer.read(1 << 18)
                    if not block:
                        break
                    out.write(block)
                    done += len(block)
                    if time.time() - shown > 5:
                        shown = time.time()
                        print("  %d of %d MiB" % (done >> 20, total >> 20),
                              flush=True)
            if total and done != total:
                raise OSError("got %d of %d bytes" % (done, total))
    except (OSError, ValueError) as error:
        print("  %s: %s" % (url, error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
