"""Links that are encrypted and know who is at the other end: between processes, to
clients, to PostgreSQL and Redis. docs/tls.md is tested by test_tls_guide.py.

SPDX-License-Identifier: MIT
"""

import os
import select
import signal
import socket
import ssl
import stat
import subprocess
import threading

import pytest

from support import links
from support.certificates import Authority
from support.client import DEADLINE, Session, http_request, register
from support.process import Process, clean_environment, free_port, poll
from support.scene import pair, person, pipeline
from support.stack import program

# Some of the contract's tests, on this module's `stack`, which has TLS everywhere;
# PARLEY_TEST_TLS=1 pytest contract runs all of them so.
from contract.test_connecting import (  # noqa: F401
    test_what_is_no_proper_upgrade_is_refused)
from contract.test_media import (  # noqa: F401
    test_an_upload_broken_off_leaves_nothing,
    test_files_on_one_connection_follow_each_other,
    test_readers_who_leave_midway_harm_nobody)

# That old versions of TLS are refused is tested by asking for them.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")

BODY = "what nobody on the way may read"
SILENT = 50
DATABASE = {"PARLEY_DATABASE_URL": "host=127.0.0.1 dbname=x user=x"}


@pytest.fixture(scope="module")
def encrypted(world):
    """TLS on the links and to the clients; and connections that say nothing, which
    test_who_says_nothing_is_hung_up_on comes back to."""
    stack = world.new_stack(gateways=2, chatds=2, presenceds=1,
                            tls=("links", "clients"))
    stack.silent = [socket.create_connection(address, DEADLINE)
                    for address in (stack.place("chatd-1"),
                                    (stack.gateways[0].host,
                                     stack.gateways[0].port))
                    for _ in range(SILENT)]
    yield stack
    for link in stack.silent:
        link.close()
    faults = stack.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def stack(encrypted):
    for process in encrypted.processes():
        process.require_alive()
    return encrypted


@pytest.fixture(scope="module")
def authority(world):
    return world.authority()


@pytest.fixture(scope="module")
def strangers(world):
    """A CA that nobody here believes."""
    return Authority(world.directory / "strangers")


# ---- settings ----------------------------------------------------------------

def check_config(kind, env=None, **settings):
    flags = [f"--{key.replace('_', '-')}={value}"
             for key, value in settings.items()]
    done = subprocess.run(
        [program(kind), "--check-config", *flags], cwd="/tmp", check=False,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env=clean_environment(**{**DATABASE, **(env or {})}))
    return done.returncode, done.stderr


def refusal(kind, env=None, **settings):
    status, error = check_config(kind, env, **settings)
    assert status == 2 and len(error.splitlines()) == 1, error
    return error


FAR = "tls+tcp://192.0.2.1:7000"


def test_good_certificates_are_good(authority):
    for kind in ("gateway", "chatd", "presenced"):
        status, error = check_config(
            kind, **authority.links(kind, f"{kind}-1"))
        assert status == 0, error


def test_tls_addresses_need_certificates(authority):
    assert "rpc_tls_ca" in refusal("gateway", chatd=FAR)
    files = authority.links("chatd", "chatd-1")
    for key in files:
        assert key in refusal("chatd", listen=FAR, **{**files, key: ""})
        error = refusal("chatd", **{**files, key: "/nowhere/x.pem"})
        assert key in error and "No such file" in error
        error = refusal("chatd", **{**files, key: "/etc/hostname"})
        assert key in error and "PEM" in error


def test_a_key_must_fit_and_be_private(authority, tmp_path):
    files = authority.links("chatd", "chatd-1")
    other = authority.links("presenced", "presenced-1")["rpc_tls_key"]
    error = refusal("chatd", **{**files, "rpc_tls_key": other})
    assert "does not belong to the certificate" in error
    open_key = tmp_path / "open.key"
    open_key.write_bytes(files["rpc_tls_key"].read_bytes())
    for mode, good in ((0o644, False), (0o660, False), (0o640, True),
                       (0o400, True)):
        open_key.chmod(mode)
        status, error = check_config(
            "chatd", **{**files, "rpc_tls_key": open_key})
        assert (status == 0) == good, error
        assert good or "chmod 0600" in error


def test_a_key_with_a_pass_phrase_is_refused_unasked(authority, tmp_path):
    files = authority.links("chatd", "chatd-1")
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", files["rpc_tls_key"], "-aes256",
                    "-passout", "pass:x", "-out", locked], check=True)
    assert "pass phrase" in refusal("chatd",
                                    **{**files, "rpc_tls_key": locked})


def test_a_certificate_must_be_in_force_and_of_this_role(authority):
    ended = authority.links("chatd", "ended", days=0)
    poll(lambda: "expired" in check_config("chatd", **ended)[1],
         "refusal of an expired certificate")
    error = refusal("chatd", **authority.links("gateway", "gateway-1"))
    assert "not made for a chatd" in error and "URI:parley:chatd" in error
    cert, key = authority.make("server", "no-role", "127.0.0.1")
    assert "not made for a chatd" in refusal(
        "chatd", rpc_tls_ca=authority.ca, rpc_tls_cert=cert, rpc_tls_key=key)


@pytest.mark.parametrize("address", [
    "tcp://0.0.0.0:7000", "tcp://*:7000", "tcp://[::]:7000",
    "tcp://192.0.2.1:7000", "tcp://chatd.example.org:7000"])
def test_plain_links_beyond_this_machine_are_refused(address):
    for kind, setting in (("chatd", "listen"), ("presenced", "listen"),
                          ("gateway", "chatd"), ("chatd", "presenced")):
        error = refusal(kind, **{setting: address})
        assert setting in error and "insecure_links" in error
        assert "tls+tcp://" in error
        status, error = check_config(kind, insecure_links="on",
                                     **{setting: address})
        assert status == 0, error


@pytest.mark.parametrize("address", [
    "tcp://127.0.0.1:7000", "tcp://localhost:7000", "tcp://[::1]:7000",
    "ipc://x.sock"])
def test_links_within_this_machine_may_be_plain(address):
    status, error = check_config("chatd", listen=address)
    assert status == 0, error


@pytest.mark.parametrize("address", [
    "127.0.0.1:7000", "ws://127.0.0.1:7000/x", "abstract://x", "ipc://",
    "tls+tcp://:7000"])
def test_other_addresses_are_refused(address):
    assert "listen" in refusal("chatd", listen=address)


def test_plain_links_to_stores_elsewhere_are_refused():
    # Sentinels here tell of servers elsewhere.
    for kind, url in (("gateway", "redis://:hunter2@redis.example.org"),
                      ("chatd", "redis://:hunter2@redis.example.org"),
                      ("presenced", "redis://:hunter2@redis.example.org"),
                      ("gateway", "sentinel://:hunter2@127.0.0.1/master")):
        error = refusal(kind, {"PARLEY_REDIS_URL": url})
        assert "redis_url" in error and "rediss://" in error
        assert "hunter2" not in error
    for url in ("postgresql://u:hunter2@db.example.org/x",
                "host=127.0.0.1,db.example.org user=u password=hunter2",
                "hostaddr=192.0.2.1 user=u password=hunter2",
                "host=db.example.org sslmode=require password=hunter2"):
        error = refusal("chatd", {"PARLEY_DATABASE_URL": url})
        assert "database_url" in error and "sslmode=verify-full" in error
        assert "hunter2" not in error
        assert "migrate_url" in refusal("chatd", {"PARLEY_MIGRATE_URL": url})
        status, error = check_config("chatd", {"PARLEY_DATABASE_URL": url},
                                     insecure_links="on")
        assert status == 0, error
    for url, env in (
            ("host=db.example.org sslmode=verify-full", {}),
            ("postgresql://u@db.example.org/x?sslmode=verify-ca", {}),
            ("host=/run/postgresql user=u", {}), ("user=u", {}),
            ("host=db.example.org", {"PGSSLMODE": "verify-full"})):
        status, error = check_config("chatd",
                                     {"PARLEY_DATABASE_URL": url, **env})
        assert status == 0, error
    assert "sslmode" in refusal("chatd", {"PARLEY_DATABASE_URL": "user=u",
                                          "PGHOST": "db.example.org"})


def test_the_clients_port_checks_its_files(authority):
    cert, key = authority.make("server", "clients", "127.0.0.1")
    status, error = check_config("gateway", tls_cert=cert, tls_key=key)
    assert status == 0, error
    assert "tls_key" in refusal("gateway", tls_cert=cert)
    assert "tls_cert" in refusal("gateway", tls_key=key)
    assert "tls_min_version" in refusal("gateway", tls_min_version="1.1")


def test_a_group_must_exist():
    assert "listen_group" in refusal("chatd", listen_group="no-such-group")


# ---- sockets on this machine -------------------------------------------------

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
CONNECT = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
except PermissionError:
    sys.exit(13)
"""


def connects(prefix, path):
    """Whether that account may connect; the directory is open to all."""
    return subprocess.run([*prefix, "/usr/bin/python3", "-c", CONNECT, path],
                          check=False).returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="takes another account's part")
def test_a_socket_is_closed_to_other_accounts(new_stack, tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    own, shared = tmp_path / "own.sock", tmp_path / "shared.sock"
    new_stack(gateways=0, chatds=1, presenceds=1, settings={
        "chatd-1": {"listen": f"ipc://{own}"},
        "presenced-1": {"listen": f"ipc://{shared}",
                        "listen_group": "nogroup"}})
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.stat().st_mode) == 0o660
    assert shared.stat().st_gid == 65534
    assert connects([], own) and connects([], shared)
    assert not connects(AS_NOBODY, own)
    assert connects(AS_NOBODY, shared)


# ---- between processes -------------------------------------------------------

async def test_nobody_on_the_way_reads_a_message(new_stack):
    for tls, seen in ((("links",), False), ((), True)):
        stack = new_stack(tls=tls, relays=["gateway-chatd"])
        watch = stack.relay("gateway-1", "chatd-1").watch(BODY.encode(),
                                                          always=True)
        one = await person(stack)
        made = await one.ask("create_private_chat", user_id=one.account.id)
        await one.say(made["chat_item"]["id"], BODY)
        assert (watch.count > 0) == seen


def raised(process, name, side):
    line = f'{name}{{side="{side}"}} '
    return sum(float(text[len(line):])
               for text in process.admin("/metrics")[1].splitlines()
               if text.startswith(line))


def refused(process):
    return raised(process, "parley_rpc_tls_refused_total", "callee")


def knock(address, context):
    """A handshake with a listener of ours, up to the answer to our certificate;
    False: it hangs up."""
    try:
        caller = links.Caller(address, context)
        caller.close()
        return True
    except (ssl.SSLError, OSError):
        return False


def plain(address):
    with socket.create_connection(address, DEADLINE) as link:
        link.sendall(links.greeting(links.REQ))
        try:
            return link.recv(8) == links.greeting(links.REP)
        except ConnectionResetError:
            return False


def test_callers_without_a_good_certificate_are_refused(stack, authority,
                                                        strangers):
    chatd, address = stack.chatds[0], stack.place("chatd-1")
    good = authority.client(*authority.make("gateway", "gateway-1"))
    assert knock(address, good)
    theirs = authority.client(*strangers.make("gateway", "stranger"))
    ended = authority.client(*authority.make("gateway", "ended-gateway",
                                             days=0))
    no_role = authority.client(*authority.make("client", "somebody"))
    old = authority.client(*authority.make("gateway", "gateway-1"))
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    for context, words in ((theirs, "local issuer certificate"),
                           (ended, "expired"), (no_role, "no role"),
                           (authority.client(), "no certificate"),
                           (old, "handshake failed")):
        before, mark = refused(chatd), len(chatd.log_text())
        assert not knock(address, context), words
        poll(lambda: refused(chatd) > before, "refusal counted")
        line = next(line for line in chatd.log_text()[mark:].splitlines()
                    if "tls_caller_refused" in line)
        assert words in line and "remedy=" in line, line
    before = refused(chatd)
    assert not plain(address)
    poll(lambda: refused(chatd) > before, "refusal counted")
    chatd.wait_log('reason="it does not speak TLS"')
    # The same again is not told again at once.
    lines = chatd.log_text().count("tls_caller_refused")
    assert not plain(address)
    poll(lambda: refused(chatd) > before + 1, "refusal counted")
    assert chatd.log_text().count("tls_caller_refused") == lines
    assert knock(address, good)


class FalseChatd(threading.Thread):
    """Listens as a chatd would, with a certificate that is not good for one."""

    def __init__(self, context):
        super().__init__(daemon=True)
        self.context = context
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = "tls+tcp://127.0.0.1:%d" % self.server.getsockname()[1]
        self.hello = threading.Event()
        self.start()

    def run(self):
        while True:
            try:
                link, _ = self.server.accept()
            except OSError:
                return
            try:
                link.sendall(b"" if self.context else
                             links.greeting(links.REP))
                if self.context:
                    link = self.context.wrap_socket(link, server_side=True)
                if links.read_exactly(link, 8) == links.greeting(links.REQ):
                    self.hello.set()
            except OSError:
                pass
            link.close()


def server_context(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def test_a_caller_believes_only_who_it_calls(new_stack, authority, strangers):
    wrong = {
        "local issuer": strangers.make("chatd", "false", "127.0.0.1"),
        "expired": authority.make("chatd", "ended", "127.0.0.1", days=0),
        "mismatch": authority.make("chatd", "other-name", "192.0.2.7"),
        "another role": authority.make("presenced", "presenced-1",
                                       "127.0.0.1"),
    }
    for words, files in [*wrong.items(), ("not speak TLS", None)]:
        false = FalseChatd(server_context(*files) if files else None)
        wrong[words] = false
    stack = new_stack(gateways=1, chatds=1, presenceds=1, tls=("links",),
                      start=False)
    gateway = stack.gateways[0]
    flag = next(i for i, a in enumerate(gateway.argv)
                if a.startswith("--chatd="))
    gateway.argv[flag] += "".join("," + f.url for f in wrong.values())
    stack.start()
    for words, false in wrong.items():
        poll(lambda: any(
            "tls_peer_refused" in line and words in line and "remedy=" in line
            for line in gateway.log_text().splitlines()), words)
        assert not false.hello.is_set()
        false.server.close()
    assert raised(gateway, "parley_rpc_tls_refused_total", "caller") >= 5
    # The one that is real serves.
    assert register(gateway).token


def test_who_calls_plainly_is_told_where_to_look(new_stack):
    """The caller cannot know more; the callee's log says why."""
    stack = new_stack(gateways=1, chatds=1, presenceds=1, tls=("links",),
                      start=False)
    gateway = stack.gateways[0]
    gateway.argv = [a.replace("=tls+tcp://", "=tcp://")
                    if a.startswith("--chatd=") else a for a in gateway.argv]
    for process in stack.processes():
        process.start()
    stack.chatds[0].wait_log('reason="it does not speak TLS"')
    gateway.wait_log("peer_unreachable service=chatd addr=tcp://")
    assert gateway.admin("/readyz") == (503, "missing: chatd\n")
    # Once, however often it is tried.
    assert stack.chatds[0].log_text().count("does not speak TLS") == 1


def test_only_a_gateway_speaks_for_users(stack, authority):
    chatd = stack.chatds[0]
    address = stack.place("chatd-1")
    callers = {kind: links.Caller(address, authority.client(
        *authority.make(kind, f"{kind}-1"))) for kind in
        ("gateway", "presenced", "chatd")}
    for kind, caller in callers.items():
        assert caller.call(links.HELLO) == 0
        status = caller.call(links.CHECK_TOKEN, bytes(32))
        assert (status == links.UNAUTHORIZED) == (kind != "gateway"), kind
        status = caller.call(links.PRESENCE_CHANGED)
        assert (status == links.UNAUTHORIZED) == (kind != "presenced"), kind
        caller.close()
    assert chatd.metric("parley_rpc_forbidden_total") == 4
    chatd.wait_log("call_forbidden call=")


def test_a_role_is_not_taken_from_a_name(stack, authority):
    """A certificate whose common name is a gateway's, and whose role is not."""
    caller = links.Caller(stack.place("chatd-1"), authority.client(
        *authority.make("presenced", "gateway", "127.0.0.1")))
    assert caller.call(links.CHECK_TOKEN, bytes(32)) == links.UNAUTHORIZED
    caller.close()


async def test_large_batches_pass(stack):
    """Answers of many records, and frames up to the limit, both ways at once."""
    ann, ben, chat_id = await pair(stack)
    texts = [f"{i:03}" + "\N{GREEK SMALL LETTER ALPHA}" * 4900
             for i in range(60)]
    await pipeline(ann, chat_id, texts)
    await ben.until(lambda: len(ben.messages(chat_id)) == 60, "60 messages")
    assert [m["content"] for m in ben.messages(chat_id)] == texts
    for limit in (1, 2, 3, 5, 8, 13, 21, 34, 55, 60):
        page = await ben.ask("get_messages", chat_id=chat_id, limit=limit)
        got = [m["content"] for m in page["messages"]]
        assert len(got) >= min(limit, 50) and got == texts[-len(got):]


def serial(address, context):
    with socket.create_connection(address, DEADLINE) as link:
        with context.wrap_socket(link, server_hostname="127.0.0.1") as tls:
            return tls.getpeercert()["serialNumber"]


async def test_certificates_are_renewed_without_a_break(new_stack, world):
    own = Authority(world.directory / "renewed")
    stack = new_stack(gateways=1, tls=("links", "clients"), settings={
        kind: own.links(kind, kind) for kind in
        ("gateway", "chatd", "presenced")}, start=False)
    gateway, chatd = stack.gateways[0], stack.chatds[0]
    cert, key = own.make("server", "clients", "127.0.0.1")
    for flag, path in (("--tls-cert=", cert), ("--tls-key=", key)):
        at = next(i for i, a in enumerate(gateway.argv) if a.startswith(flag))
        gateway.argv[at] = flag + str(path)
    gateway.tls = own.client()
    stack.start()
    ann = await person(stack)
    shaken = raised(gateway, "parley_rpc_tls_handshakes_total", "caller")
    caller = own.client(*own.make("gateway", "gateway"))
    places = {"chatd": (chatd, stack.place("chatd-1"), caller),
              "clients": (gateway, (gateway.host, gateway.port),
                          own.client())}
    for name, (process, address, context) in places.items():
        before = serial(address, context)
        for suffix in ("key", "crt"):
            (own.directory / f"{name}.{suffix}").rename(
                own.directory / f"{name}.{suffix}.old")
        # What is bad changes nothing.
        mark = len(process.log_text())
        process.child.send_signal(signal.SIGHUP)
        process.wait_log("certificate_refused", mark)
        assert serial(address, context) == before
        own.make("server" if name == "clients" else name, name, "127.0.0.1")
        process.child.send_signal(signal.SIGHUP)
        poll(lambda: serial(address, context) != before, "the new one")
    # Neither the client nor the links noticed.
    await ann.fence()
    assert raised(gateway, "parley_rpc_tls_handshakes_total",
                  "caller") == shaken


# ---- PostgreSQL --------------------------------------------------------------

class LargeRecords(threading.Thread):
    """TLS before a PostgreSQL, in records of 16 KiB, as servers from PostgreSQL 17
    on send them and earlier ones do not: what comes together goes on together."""

    QUIET = 0.01

    def __init__(self, target, context):
        super().__init__(daemon=True)
        self.target = target
        self.context = context
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                link, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,),
                             daemon=True).start()

    def serve(self, link):
        try:
            if len(links.read_exactly(link, 8)) == 8:    # SSLRequest
                link.sendall(b"S")
                link = self.context.wrap_socket(link, server_side=True)
                with socket.create_connection(self.target) as server:
                    self.pump(link, server)
        except OSError:
            pass
        link.close()

    def pump(self, client, server):
        """One thread, since two may not use one TLS connection at a time."""
        while True:
            ready = [client] if client.pending() else \
                select.select([client, server], [], [])[0]
            if client in ready:
                data = client.recv(65536)
                if not data:
                    return
                server.sendall(data)
            if server in ready:
                data = b""
                while select.select([server], [], [], self.QUIET)[0]:
                    more = server.recv(65536)
                    if not more:
                        return
                    data += more
                client.sendall(data)


@pytest.fixture
def large_records(world, authority):
    proxy = LargeRecords(
        world.shared_postgres().address,
        server_context(*authority.make("server", "db", "127.0.0.1")))
    yield proxy.port
    proxy.server.close()


async def test_answers_in_large_records_are_read_to_the_end(
        new_stack, large_records, authority):
    stack = new_stack(start=False, settings={
        "chatd": {"database_connections": 1},
        "gateway": {"rate_sends": "off"}})
    chatd = stack.chatds[0]
    chatd.env["PARLEY_DATABASE_URL"] = stack.postgres.conninfo(
        "parley_chatd", stack.database, "127.0.0.1", large_records) + \
        f" sslmode=verify-full sslrootcert={authority.ca}"
    stack.start()
    assert chatd.metric("parley_db_tls_links") == 1
    ann, _, chat_id = await pair(stack)
    texts = [f"{i:02}" + "x" * 4900 for i in range(20)]
    await pipeline(ann, chat_id, texts)
    for limit in range(1, 21):
        page = await ann.ask("get_messages", chat_id=chat_id, limit=limit)
        assert [m["content"] for m in page["messages"]] == texts[-limit:]
    # None of them came only with the next one, which a repeat had asked for.
    assert stack.gateways[0].metric("parley_rpc_repeated_total") <= 2


def test_a_database_that_is_not_verified_is_not_used(
        world, strangers, large_records):
    """Its certificate is not of the CA that is believed; the cause is told."""
    chatd = Process(
        "unverified", [program("chatd"), "--migrate=off",
                       "--listen=ipc://unverified.sock"],
        world.directory, world.directory / "unverified.log",
        clean_environment(
            PARLEY_DATABASE_URL=world.shared_postgres().conninfo(
                "parley_chatd", "parley_template", "127.0.0.1",
                large_records) +
            f" sslmode=verify-full sslrootcert={strangers.ca}")).start()
    poll(lambda: "certificate verify failed" in chatd.log_text(), "the cause")
    assert "database_url" in chatd.log_text()
    chatd.kill()


# ---- clients -----------------------------------------------------------------

def test_clients_get_tls_and_nothing_else(stack, authority):
    gateway = stack.gateways[0]
    address = gateway.host, gateway.port
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(socket.create_connection(address, DEADLINE),
                             server_hostname=gateway.host) as link:
        assert link.version() == "TLSv1.3"
        assert link.selected_alpn_protocol() == "http/1.1"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(socket.create_connection(address, DEADLINE),
                             server_hostname=gateway.host) as link:
        assert link.version() == "TLSv1.2"
        assert "ECDHE" in link.cipher()[0]
    failed = gateway.metric("parley_gateway_tls_failed_total")
    old = authority.client()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        old.wrap_socket(socket.create_connection(address, DEADLINE),
                        server_hostname=gateway.host)
    # Who speaks plainly gets no page, and no answer that looks like one.
    with socket.create_connection(address, DEADLINE) as link:
        link.sendall(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert b"HTTP" not in link.recv(1000)
        except ConnectionResetError:
            pass
    poll(lambda: gateway.metric("parley_gateway_tls_failed_total") >=
         failed + 2, "failures counted")
    assert http_request(gateway, "GET", "/api/health").status == 200


def test_browsers_are_told_to_stay_with_https(new_stack):
    stack = new_stack(tls=("clients",), settings={
        "gateway": {"tls_hsts": "30d", "tls_min_version": "1.3"}})
    gateway = stack.gateways[0]
    for path in ("/", "/api/health", "/api/nothing"):
        answer = http_request(gateway, "GET", path)
        assert answer.headers["Strict-Transport-Security"] == \
            "max-age=2592000"
    old = stack.world.authority().client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        old.wrap_socket(socket.create_connection(
            (gateway.host, gateway.port), DEADLINE),
            server_hostname=gateway.host)


def test_a_proxy_tells_before_tls_whose_client_it_is(new_stack):
    stack = new_stack(tls=("clients",), settings={"gateway": {
        "proxy_protocol": "on", "trusted_proxies": "127.0.0.1"}})
    gateway = stack.gateways[0]
    link = socket.create_connection((gateway.host, gateway.port), DEADLINE)
    link.sendall(b"PROXY TCP4 198.51.100.7 192.0.2.1 1 2\r\n")
    with gateway.tls.wrap_socket(link, server_hostname=gateway.host) as tls:
        tls.sendall(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert tls.recv(1000).startswith(b"HTTP/1.1 200")


def test_without_the_setting_they_are_told_nothing(stack):
    answer = http_request(stack.gateways[0], "GET", "/api/health")
    assert "Strict-Transport-Security" not in answer.headers


async def test_a_reader_who_stops_is_closed_over_tls_too(new_stack):
    stack = new_stack(tls=("clients",), settings={"gateway": {
        "outbox_max": "64k", "rate_sends": "off",
        "rate_address_frames": "off"}})
    gateway = stack.gateways[0]
    ann = await person(stack)
    lazy = await Session.open(gateway, ann.account)
    lazy.socket.transport.pause_reading()
    made = await ann.ask("create_private_chat", user_id=ann.account.id)
    for i in range(100):
        await pipeline(ann, made["chat_item"]["id"], ["x" * 4900] * 20)
        if gateway.metric("parley_gateway_slow_closes_total") > 0:
            break
    assert gateway.metric("parley_gateway_slow_closes_total") == 1
    lazy.cut()


# ---- the end of what began with `encrypted` ----------------------------------

def hung_up(link):
    """The other side ends a connection on which nothing was said."""
    link.settimeout(30 * DEADLINE / 10)
    try:
        return link.recv(1) == b""
    except ConnectionResetError:
        return True


def test_who_says_nothing_is_hung_up_on(stack):
    """Meanwhile everybody else was served."""
    assert register(stack.gateways[0]).token
    assert all(hung_up(link) for link in stack.silent)
    assert raised(stack.chatds[0], "parley_rpc_tls_broken_total",
                  "callee") >= SILENT
    assert stack.gateways[0].metric(
        "parley_gateway_tls_failed_total") >= SILENT
