"""A business server for the webhooks of a Parley or OpenIM server, with the
standard library only: a word filter that refuses messages, and an auditor that
stores every event once. POST /webhook/{command}, one JSON object in, one out.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST_BODY = 4 << 20
TOLERANCE = 5 * 60  # seconds

APPROVED = {"actionCode": 0, "errCode": 0, "errMsg": "", "errDlt": "", "nextCode": 0}
# actionCode 0: the handler did its work; nextCode refuses.
REFUSED = {
    "actionCode": 0,
    "errCode": 5001,
    "errMsg": "the message was refused",
    "errDlt": "it holds a forbidden word",
    "nextCode": 1,
}


def parse_keys(text):
    """Two secrets while one is being replaced. The key is the decoded form."""
    return [base64.b64decode(secret.removeprefix("whsec_")) for secret in text.split()]


def verify(headers, raw, keys, now):
    """Verifies the bytes as they came, whole and in constant time."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not event_id or not re.fullmatch(r"[0-9]{1,15}", timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        return False
    content = f"{event_id}.{timestamp}.".encode() + raw
    right = False
    for key in keys:
        want = b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
        for got in headers.get("webhook-signature", "").split(" "):
            right |= hmac.compare_digest(got.encode("utf-8", "replace"), want)
    return right


class Audit:
    """Writes each event once, one JSON object a line. The ids in the file are
    remembered, also over a restart. The lock is held from the look-up to the disk."""

    def __init__(self, name):
        self._lock = threading.Lock()
        self._times = {}
        self._file = open(name, "a+b", buffering=0)
        self._file.seek(0)
        raw = self._file.read()
        # A last line without its end was cut off by a crash, before it was answered.
        self._end = raw.rfind(b"\n") + 1
        self._file.truncate(self._end)
        for line in raw[: self._end].splitlines():
            event_id = json.loads(line)["id"]
            self._times[event_id] = self._times.get(event_id, 0) + 1

    def store(self, event_id, command, event):
        """Returns when the event is on the disk."""
        line = json.dumps({"id": event_id, "command": command, "event": event}).encode() + b"\n"
        with self._lock:
            if event_id in self._times:
                return
            try:
                rest = line
                while rest:
                    rest = rest[self._file.write(rest) :]
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(self._end)  # half a line would spoil the next one
                raise
            self._end += len(line)
            self._times[event_id] = 1

    def count(self, event_id):
        with self._lock:
            return self._times.get(event_id, 0)

    def close(self):
        with self._lock:
            self._file.close()


class Business:
    """What this server has an opinion about. Questions are answered from memory:
    the sender waits."""

    def __init__(self, forbidden, audit):
        self._forbidden = forbidden
        self._audit = audit
        self._questions = {
            "callbackBeforeSendSingleMsgCommand": self._judge,
            "callbackBeforeSendGroupMsgCommand": self._judge,
        }

    def answer(self, command, body, event_id):
        question = self._questions.get(command)
        if question:
            return question(body)
        # One report has a misleading name: it tells of a revoked message.
        if command.startswith("callbackAfter") or command == "callbackBeforeAfterMsgCommand":
            # OpenIM tells no id.
            self._audit.store(event_id or f"{command}:{json.dumps(body)}", command, body)
        return APPROVED  # also what this version does not know

    def _judge(self, message):
        text = text_of(message).lower()
        return REFUSED if any(word in text for word in self._forbidden) else APPROVED


def text_of(message):
    """What a user reads: content of text messages (101), text of those with mentions (106)."""
    content = message.get("content") or ""
    try:
        said = json.loads(content)
        return next(said[key] for key in ("content", "text") if isinstance(said.get(key), str))
    except (ValueError, AttributeError, StopIteration):
        return str(content)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # 1.0, the default, closes the connection after each call
    disable_nagle_algorithm = True  # otherwise every answer takes 40 ms
    timeout = 75  # the IM server closes idle connections after 60 s, before this end does

    keys = []
    conform = False
    business = None
    audit = None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if self.conform and url.path == "/webhook/conform":
            event_id = urllib.parse.parse_qs(url.query).get("id", [""])[0]
            self._reply(200, {"count": self.audit.count(event_id)})
        else:
            self._reply(405, "callbacks are sent with POST")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self._hang_up(411, "Content-Length is missing")
        if int(length) > LARGEST_BODY:
            return self._hang_up(413, "the body is too large")
        raw = self.rfile.read(int(length))  # waits for all of it
        if len(raw) < int(length):
            self.close_connection = True
            return None  # the caller hung up
        try:
            self._reply(*self._handle(raw))
        except Exception as error:  # any: the connection and the process go on
            # Not 200: the IM server sends a report again later, and decides about a
            # question by failedContinue.
            print(f"{self.path}: {error!r}", file=sys.stderr)
            self._reply(500, "internal error")
        return None

    def _handle(self, raw):
        if self.keys and not verify(self.headers, raw, self.keys, time.time()):
            return 401, "the signature is not right"
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            return 400, str(error)
        # The body names the callback too, and the body is signed.
        command = body.get("callbackCommand") if isinstance(body, dict) else None
        if not isinstance(command, str):
            return 400, "the body is not a callback"
        if self.conform and "Conform-Api" in self.headers:
            urllib.request.urlopen(urllib.request.Request(self.headers["Conform-Api"], data=b""), timeout=10).close()
        return 200, self.business.answer(command, body, self.headers.get("webhook-id"))

    def _hang_up(self, status, text):
        self.close_connection = True
        self._reply(status, text)

    def _reply(self, status, said):
        plain = isinstance(said, str)
        body = (said if plain else json.dumps(said)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if plain else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 drops connections under load

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=10006)
    parser.add_argument("--audit", default="audit.jsonl", help="file that events are stored in")
    parser.add_argument("--refuse", default="", help="words that are refused, by commas")
    parser.add_argument(
        "--conform", action="store_true", help="offer what `parley webhook conform` needs to look inside; never in production"
    )
    options = parser.parse_args()
    audit = Audit(options.audit)
    Handler.keys = parse_keys(os.environ.get("WEBHOOK_SECRET", ""))
    Handler.conform = options.conform
    Handler.audit = audit
    Handler.business = Business([w for w in options.refuse.lower().split(",") if w], audit)
    server = Server(("127.0.0.1", options.port), Handler)  # loopback: put your own proxy in front
    server.daemon_threads = True

    def stop(*_):
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on http://127.0.0.1:{server.server_port}/webhook", flush=True)
    server.serve_forever(poll_interval=0.1)
    audit.close()


if __name__ == "__main__":
    main()
