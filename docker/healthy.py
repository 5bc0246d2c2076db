"""Whether the service in this container lives: for HEALTHCHECK, in an image that has no curl.

Asks /livez on the port of `[http]`, which may be given as TRACKER_HTTP__PORT, or the port and path given as arguments.
"""

import http.client
import os
import sys


def main(port: str = os.environ.get("TRACKER_HTTP__PORT", "8080"), path: str = "/livez") -> int:
    """Give the exit status: 0 it does, 1 it does not."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=4)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"No answer on port {port}: {type(error).__name__}")
        return 1
    print(f"{path} answered {status}")
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
