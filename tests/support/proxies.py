"""The load balancers of deploy/proxy, as they are there, before a stack's gateways;
only names, ports and paths become those of this machine.

SPDX-License-Identifier: MIT
"""

import os
import re
import signal
import socket

from .process import Gateway, Process, free_port, poll
from .stack import ROOT
from .stores import HOST

PROXIES = ROOT / "deploy" / "proxy"
# From where they call the gateways. Clients come from elsewhere.
ADDRESS = "127.0.0.9"


def replace(text, changes):
    """Each of the patterns must be there."""
    for pattern, new in changes:
        text, count = re.subn(pattern, str(new), text, flags=re.MULTILINE)
        assert count > 0, f"no {pattern} in the proxy's configuration"
    return text


class Proxy(Process):
    """Clients use it in the place of a gateway."""

    host = HOST
    stop_signal = signal.SIGTERM
    connection = Gateway.connection
    dial = Gateway.dial
    ws_url = Gateway.ws_url

    def __init__(self, stack, name, argv):
        self.directory = stack.directory / name
        self.directory.mkdir()
        self.port = free_port()
        self.plain_port = free_port()
        authority = stack.world.authority()
        self.tls = authority.client()
        self.certificate, self.key = authority.make(
            "server", f"{stack.directory.name}-{name}", HOST)
        self.config = self.directory / f"{name}.conf"
        self.config.write_text(self.configure(stack.gateways))
        super().__init__(name, argv + [self.config], self.directory,
                         self.directory / f"{name}.log")

    def terminate(self):
        return super().terminate(self.stop_signal)

    def start(self):
        super().start()

        def listens():
            self.require_alive()
            with socket.socket() as probe:
                return probe.connect_ex((self.host, self.port)) == 0
        poll(listens, f"{self.name} that listens")
        return self


class Haproxy(Proxy):
    stop_signal = signal.SIGUSR1    # by another it ends with a status of its own

    def __init__(self, stack):
        super().__init__(stack, "haproxy", ["haproxy", "-db", "-f"])

    def configure(self, gateways):
        certificates = self.directory / "certificates"
        certificates.mkdir()
        (certificates / "site.pem").write_text(
            self.certificate.read_text() + self.key.read_text())
        changes = [
            (r"bind :80$", f"bind {HOST}:{self.plain_port}"),
            (r"bind :443 ", f"bind {HOST}:{self.port} "),
            (r"/etc/haproxy/certificates/", f"{certificates}/"),
            (r"/run/haproxy/admin.sock", self.directory / "admin.sock"),
            (r"maxconn 100000$", "maxconn 1000"),
            *((rf"server gateway-{i} gateway-{i}:8080$",
               f"server gateway-{i} {HOST}:{gateway.port} "
               f"port {gateway.admin_port} source {ADDRESS}")
              for i, gateway in enumerate(gateways, 1))]
        if os.getuid() != 0:
            changes.append((r"^\t(user|group) haproxy$", ""))
        return replace((PROXIES / "haproxy.cfg").read_text(), changes)


class Nginx(Proxy):
    def __init__(self, stack):
        super().__init__(stack, "nginx", ["nginx", "-g", "daemon off;", "-c"])

    def configure(self, gateways):
        paths = "".join(f"\t{kind}_temp_path {self.directory / kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi",
                                     "scgi", "uwsgi"))
        return replace((PROXIES / "nginx.conf").read_text(), [
            (r"listen \[::\]:.*", ""),
            (r"listen 80;", f"listen {HOST}:{self.plain_port};"),
            (r"listen 443 ssl;", f"listen {HOST}:{self.port} ssl;"),
            (r"/etc/nginx/certificates/\S+\.crt", self.certificate),
            (r"/etc/nginx/certificates/\S+\.key", self.key),
            (r"^pid .*;", f"pid {self.directory / 'pid'};"),
            (r"^user .*;", "" if os.getuid() else "user root;"),
            (r"^worker_rlimit_nofile .*;", ""),
            (r"worker_connections .*;", "worker_connections 1000;"),
            (r"/var/log/nginx", self.directory),
            (r"^\tserver_tokens off;$", f"\tserver_tokens off;\n{paths}"
             f"\tproxy_bind {ADDRESS};\n"),
            *((rf"server gateway-{i}:8080 ", f"server {HOST}:{gateway.port} ")
              for i, gateway in enumerate(gateways, 1))])
