"""A receiver for Alertmanager that writes each alert on a line: docker compose logs -f alert-log"""

from __future__ import annotations

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

PORT = 9095


class AlertLog(BaseHTTPRequestHandler):
    """Answers Alertmanager's webhook: POST with a JSON object that has a list of alerts."""

    timeout = 10  # seconds for a client to send its request

    def do_POST(self) -> None:
        """Write what is told, or refuse what is no list of alerts."""
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            lines = [line(alert) for alert in body["alerts"]]
        except (KeyError, TypeError, ValueError) as error:
            self.send_error(400, f"expected Alertmanager's webhook, got {error!r}")
            return
        for text in lines:
            print(text, flush=True)  # noqa: T201 - it is what this is for
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        """Say that it is there."""
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log alerts and nothing else."""


def line(alert: dict[str, Any]) -> str:
    """Return an alert as one line of JSON: status, name, severity, since when, and what it says."""
    labels, says = alert["labels"], alert["annotations"]
    moment = alert["startsAt"] if alert["status"] == "firing" else alert["endsAt"]
    return json.dumps(
        {
            "at": moment,
            "status": alert["status"],
            "alert": labels["alertname"],
            "severity": labels["severity"],
            "instance": labels.get("instance"),
            "summary": says["summary"],
            "description": says["description"],
            "runbook": says["runbook_url"],
        }
    )


if __name__ == "__main__":
    # As process 1 of a container, it would not be ended otherwise.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    HTTPServer(("0.0.0.0", PORT), AlertLog).serve_forever()  # noqa: S104 - the network is internal
