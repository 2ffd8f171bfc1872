"""Certificates for the tests, made by deploy/certificates.sh.

SPDX-License-Identifier: MIT
"""

import os
import ssl
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "certificates.sh"


class Authority:
    """A CA in a directory, with the certificates it made."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = directory / "ca.crt"
        self.run(directory, "ca")

    def run(self, *arguments, days=None):
        environment = dict(os.environ)
        if days is not None:
            environment["DAYS"] = str(days)
        done = subprocess.run([SCRIPT, *arguments], env=environment,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def paths(self, name):
        return self.directory / f"{name}.crt", self.directory / f"{name}.key"

    def make(self, kind, name, *hosts, days=None):
        """(certificate, key), made at the first asking."""
        if not self.paths(name)[0].exists():
            self.run(self.directory, kind, name, *hosts, days=days)
        return self.paths(name)

    def renew(self, kind, name, *hosts, days=None):
        self.run("--renew", self.directory, kind, name, *hosts, days=days)
        return self.paths(name)

    def links(self, kind, name, *hosts, **more):
        """The settings by which a process has a certificate."""
        cert, key = self.make(kind, name, *(hosts or ["127.0.0.1"]), **more)
        return {"rpc_tls_ca": self.ca, "rpc_tls_cert": cert,
                "rpc_tls_key": key}

    def client(self, cert=None, key=None):
        """A context for a client that believes this CA alone."""
        context = ssl.create_default_context(cafile=self.ca)
        if cert is not None:
            context.load_cert_chain(cert, key)
        return context
