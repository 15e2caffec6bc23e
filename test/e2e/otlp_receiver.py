#!/usr/bin/env python3
"""A trace collector for tests: takes OTLP/HTTP on POST /v1/traces with the official message classes
(PyPI opentelemetry-proto) and prints each span as one JSON line.

    otlp_receiver.py [--port 0] [--fail-first N]

The first line on stdout is {"listening": PORT}. A body that does not parse is answered 400 and printed
as {"error": ...}; --fail-first answers the first N posts with 503 to test what a collector that is
down costs. Ends on SIGTERM or when stdin closes with --until-stdin-closes.
"""

import argparse
import http.server
import json
import sys
import threading

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2


def emit(value):
    print(json.dumps(value, sort_keys=True), flush=True)


def plain(value):
    """An AnyValue as a Python value."""
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


def attributes(pairs):
    return {pair.key: plain(pair.value) for pair in pairs}


def spans_of(request):
    for resource_spans in request.resource_spans:
        resource = attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield {
                    "name": span.name,
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent_span_id": span.parent_span_id.hex(),
                    "kind": span.kind,
                    "start_ns": span.start_time_unix_nano,
                    "end_ns": span.end_time_unix_nano,
                    "status": span.status.code,
                    "status_message": span.status.message,
                    "attributes": attributes(span.attributes),
                    "events": [{"name": event.name, "time_ns": event.time_unix_nano} for event in span.events],
                    "resource": resource,
                }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    failures_left = 0
    lock = threading.Lock()

    def do_POST(self):
        body = self.body()
        with Handler.lock:
            if Handler.failures_left > 0:
                Handler.failures_left -= 1
                return self.answer(503)
        if self.path != "/v1/traces" or self.headers.get("Content-Type") != "application/x-protobuf":
            emit({"error": f"unexpected {self.path} {self.headers.get('Content-Type')}"})
            return self.answer(404)
        request = trace_service_pb2.ExportTraceServiceRequest()
        try:
            request.ParseFromString(body)
        except DecodeError as error:
            emit({"error": str(error)})
            return self.answer(400)
        with Handler.lock:
            for span in spans_of(request):
                emit(span)
        return self.answer(200)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status):
        reply = trace_service_pb2.ExportTraceServiceResponse().SerializeToString()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *arguments):
        """Stdout belongs to the spans and stderr to errors."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fail-first", type=int, default=0)
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args()
    Handler.failures_left = options.fail_first
    server = http.server.ThreadingHTTPServer((options.host, options.port), Handler)
    emit({"listening": server.server_address[1]})
    if options.until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
