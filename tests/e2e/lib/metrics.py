"""Readers of /metrics."""

import http.client
import socket
import sys

from . import checks

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5 * checks.SLOW)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(place, path="/metrics", method="GET", **headers):
    """place: (host, port), or the path of a socket. (status, fields of the header, text)."""
    connection = _OverUnix(place) if isinstance(place, str) else \
        http.client.HTTPConnection(*place, timeout=5 * checks.SLOW)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def parsers():
    """The parsers (OpenMetrics, older format) of Debian's python3-prometheus-client, which another
    Python than Debian's finds too."""
    try:
        import prometheus_client
    except ImportError:
        sys.path.append("/usr/lib/python3/dist-packages")
    try:
        from prometheus_client import parser as older
        from prometheus_client.openmetrics import parser as openmetrics
    except ImportError as reason:
        raise checks.Skip("prometheus_client is missing (Debian: python3-prometheus-client)") \
            from reason
    return (lambda text: list(openmetrics.text_string_to_metric_families(text)),
            lambda text: list(older.text_string_to_metric_families(text)))


def samples(families):
    """{(name, label values...): value}"""
    return {(sample.name, *sample.labels.values()): sample.value
            for family in families for sample in family.samples}
