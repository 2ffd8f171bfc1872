"""An S3-compatible service for tests: s3rver from npm, behind a gate that
checks every request's signature (s3rver knows version 4 only by its form) and that can
fail on demand.

SPDX-License-Identifier: MIT
"""

import hashlib
import hmac
import http.client
import http.server
import shutil
import subprocess
import threading
import urllib.parse

import pytest

from . import hygiene
from .process import Process, free_port, poll
from .stack import ROOT

VERSION = "3.7.1"
PLACE = ROOT / "build" / "s3rver"
BUCKET = "parley-test"
REGION = "eu-test-1"
# s3rver knows one account; the gate, which secret goes with it.
ACCESS_KEY = "S3RVER"
SECRET_KEY = "the-tests/secret+key=for-the-bucket"


def installed():
    """s3rver's script; skips the test where it cannot be had."""
    script = PLACE / "node_modules" / "s3rver" / "bin" / "s3rver.js"
    if script.exists():
        return script
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("no npm here: s3rver, the S3 service of this test, "
                    "cannot be installed")
    PLACE.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        ["npm", "install", "--prefix", PLACE, f"s3rver@{VERSION}",
         "--no-audit", "--no-fund"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        pytest.skip(f"npm cannot install s3rver: {result.stderr[-300:]}")
    return script


def signature(secret, method, target, headers, signed, scope):
    """Signature version 4, as its specification has it."""
    path, _, query = target.partition("?")
    query = "&".join(sorted(query.split("&")))
    canonical = "\n".join([
        method, urllib.parse.quote(urllib.parse.unquote(path)), query,
        *(f"{name}:{' '.join(headers[name].split())}" for name in signed), "",
        ";".join(signed), headers["x-amz-content-sha256"]])
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def fault_in(method, target, headers, body):
    """The code of S3's error for the request's signature, or None."""
    kind, _, rest = headers.get("Authorization", "").partition(" ")
    fields = dict(f.strip().split("=", 1) for f in rest.split(",") if "=" in f)
    if kind != "AWS4-HMAC-SHA256":
        return "AccessDenied"
    key, _, scope = fields["Credential"].partition("/")
    if key != ACCESS_KEY:
        return "InvalidAccessKeyId"
    day = headers["x-amz-date"][:8]
    digest = headers["x-amz-content-sha256"]
    signed = fields["SignedHeaders"].split(";")
    if scope != f"{day}/{REGION}/s3/aws4_request" or not \
            {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed):
        return "AuthorizationHeaderMalformed"
    if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return "XAmzContentSHA256Mismatch"
    wanted = signature(SECRET_KEY, method, target, headers, signed, scope)
    return None if hmac.compare_digest(wanted, fields["Signature"]) \
        else "SignatureDoesNotMatch"


class Gate(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "date",
                                    "server", "content-length", "keep-alive"):
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", len(body)) \
            if self.command == "HEAD" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self):
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        code = fault_in(self.command, self.path, self.headers, body)
        service.requests.append((self.command, code))
        if code is not None:
            self.answer(403, f"<Error><Code>{code}</Code></Error>".encode())
        elif service.failing > 0:
            service.failing -= 1
            self.answer(503, b"<Error><Code>SlowDown</Code></Error>")
        else:
            self.pass_on(service, body)

    def pass_on(self, service, body):
        link = http.client.HTTPConnection("127.0.0.1", service.inner_port,
                                          timeout=60)
        try:
            link.putrequest(self.command, self.path, skip_host=True,
                            skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "connection"):
                    link.putheader(name, value)
            link.endheaders(body)
            answer = link.getresponse()
            self.answer(answer.status, answer.read(), answer.getheaders())
        except OSError:
            self.close_connection = True
        finally:
            link.close()

    do_GET = do_HEAD = do_PUT = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that left is none of our business."""


class S3:
    def __init__(self, directory):
        hygiene.secret(SECRET_KEY)
        script = installed()
        directory.mkdir(parents=True, exist_ok=True)
        self.data = directory / "data"
        self.port, self.inner_port = free_port(), free_port()
        self.process = Process(
            "s3rver", ["node", script, "-d", self.data, "-a", "127.0.0.1",
                       "-p", self.inner_port, "--no-vhost-buckets",
                       "--configure-bucket", BUCKET],
            directory, directory / "s3rver.log")
        self.gate = None
        self.failing = 0
        self.requests = []

    @property
    def settings(self):
        return {"media_s3_endpoint": f"http://127.0.0.1:{self.port}/",
                "media_s3_bucket": BUCKET, "media_s3_region": REGION}

    def start(self):
        self.process.start()
        poll(self.answers, "answer of s3rver", 30)
        self.gate = Server(("127.0.0.1", self.port), Gate)
        self.gate.service = self
        threading.Thread(target=self.gate.serve_forever, args=(0.05,),
                         daemon=True).start()
        return self

    def answers(self):
        self.process.require_alive()
        link = http.client.HTTPConnection("127.0.0.1", self.inner_port,
                                          timeout=2)
        try:
            link.request("GET", "/")
            return link.getresponse().status
        except OSError:
            return None
        finally:
            link.close()

    def kill(self):
        if self.gate is not None:
            self.gate.shutdown()
            self.gate.server_close()
            self.gate = None
        if self.process.child is not None:
            self.process.kill()

    def names(self):
        """Of the objects that are there."""
        return {path.name.removesuffix("._S3rver_object")
                for path in (self.data / BUCKET).rglob("*._S3rver_object")}
