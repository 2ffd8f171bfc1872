"""Each process on its own: settings, starting alone, failing clearly, stopping.

SPDX-License-Identifier: MIT
"""

import re
import signal
import socket
import subprocess

import pytest

from support.process import (Daemon, Gateway, clean_environment, free_port,
                             poll)
from support.stack import BUILD, program

KINDS = ("gateway", "chatd", "presenced")
SECRETS = {"PARLEY_DATABASE_URL": "host=127.0.0.1 port=1 dbname=x user=x "
                                  "password=hunter2hunter2"}


def run(kind, *flags, env=None, cwd="/tmp", seconds=30):
    result = subprocess.run(
        [program(kind), *flags], cwd=cwd, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=seconds,
        env=clean_environment(**(env or {})))
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_help_lists_every_setting_and_starts_nothing(kind):
    status, out, err = run(kind, "--help")
    assert status == 0 and err == ""
    for words in ("--config", "--log-level", "PARLEY_LOG_LEVEL",
                  "--admin-listen", "--drain-timeout"):
        assert words in out
    assert {"gateway": "--public-url", "chatd": "--database-url",
            "presenced": "--lease"}[kind] in out


@pytest.mark.parametrize("kind", KINDS)
def test_version(kind):
    status, out, err = run(kind, "--version")
    assert status == 0 and re.fullmatch(rf"{kind} \d+\.\d+\.\d+\S*\n", out)


@pytest.mark.parametrize("kind", KINDS)
def test_check_config_tells_good_from_bad(kind):
    status, _, err = run(kind, "--check-config", env=SECRETS)
    assert status == 0, err
    status, _, err = run(kind, "--check-config", "--log-level=loud",
                         env=SECRETS)
    assert status != 0 and len(err.splitlines()) == 1
    assert "log" in err and "level" in err


def test_check_config_reads_the_networks_of_proxies():
    status, _, err = run("gateway", "--check-config", env=SECRETS)
    assert status == 0, err
    status, _, err = run("gateway", "--check-config", "--trusted-proxies="
                         "10.0.0.0/8, ::1, 10.0.0.0/33", env=SECRETS)
    assert status == 2
    assert "trusted_proxies" in err and '"10.0.0.0/33"' in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flags, words", [
    (["--no-such-setting=1"], "no-such-setting"),
    (["--drain-timeout=soon"], "drain"),
    (["--config=/no/such/file"], "/no/such/file"),
    (["stray"], "argument 1"),
])
def test_a_wrong_setting_is_one_line_naming_it_and_no_start(kind, flags, words):
    status, out, err = run(kind, *flags, env=SECRETS)
    assert status not in (0, None)
    assert len(err.splitlines()) == 1, err
    assert words in err


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_environment_variable_is_named(kind):
    status, _, err = run(kind, env=dict(SECRETS,
                                        PARLEY_DRAIN_TIMEOUT="never"))
    assert status != 0 and "PARLEY_DRAIN_TIMEOUT" in err


@pytest.mark.parametrize("kind", KINDS)
def test_a_config_file_is_read_and_its_faults_are_located(kind, tmp_path):
    good = tmp_path / "good.conf"
    good.write_text("# comment\nlog_level = debug\n\ndrain_timeout = 3s\n")
    status, _, err = run(kind, f"--config={good}", "--check-config",
                         env=SECRETS)
    assert status == 0, err
    bad = tmp_path / "bad.conf"
    bad.write_text("log_level = debug\nno_such_key = 1\n")
    status, _, err = run(kind, f"--config={bad}", "--check-config",
                         env=SECRETS)
    assert status != 0
    assert "no_such_key" in err and "bad.conf" in err and "2" in err


def test_secrets_are_masked_when_settings_are_printed():
    status, out, err = run("chatd", "--print-config", env=SECRETS)
    assert status == 0
    assert "hunter2hunter2" not in out + err
    assert "database_url" in out


def test_chatd_without_a_database_setting_says_so():
    status, _, err = run("chatd")
    assert status != 0 and len(err.splitlines()) == 1
    assert "database" in err


def error_lines(text):
    return [line for line in text.splitlines() if " error " in line]


def test_chatd_with_a_missing_database_names_cause_and_remedy(world, tmp_path):
    postgres = world.shared_postgres()
    status, out, err = run(
        "chatd", "--migrate-only", cwd=tmp_path, env={
            "PARLEY_DATABASE_URL": postgres.conninfo("parley_owner",
                                                     "no_such_database")})
    assert status != 0
    lines = error_lines(out + err)
    assert len(lines) == 1, out + err
    assert "no_such_database" in lines[0] and "database_url" in lines[0]
    assert postgres.password not in out + err


def test_chatd_with_a_wrong_password_names_cause_and_remedy(world, tmp_path):
    postgres = world.shared_postgres()
    conninfo = postgres.conninfo("parley_owner", "parley_template").replace(
        postgres.password, "wrongwrongwrong")
    status, out, err = run("chatd", "--migrate-only", cwd=tmp_path,
                           env={"PARLEY_DATABASE_URL": conninfo})
    assert status != 0
    lines = error_lines(out + err)
    assert len(lines) == 1 and "password" in lines[0], out + err
    assert "wrongwrongwrong" not in out + err


def test_chatd_on_an_empty_database_without_migrations_says_so(world, tmp_path):
    postgres = world.shared_postgres()
    database = postgres.make_database()
    status, out, err = run(
        "chatd", "--migrate=off", "--admin-listen=", cwd=tmp_path,
        env={"PARLEY_DATABASE_URL": postgres.conninfo("parley_owner",
                                                      database)})
    assert status != 0
    lines = error_lines(out + err)
    assert len(lines) == 1 and "migrat" in lines[0], out + err


def test_migrations_are_applied_once_and_again_is_harmless(world, tmp_path):
    postgres = world.shared_postgres()
    database = postgres.make_database()
    for _ in range(2):
        status, out, err = run(
            "chatd", "--migrate-only", cwd=tmp_path, env={
                "PARLEY_DATABASE_URL": postgres.conninfo("parley_chatd",
                                                         database),
                "PARLEY_MIGRATE_URL": postgres.conninfo("parley_owner",
                                                        database)})
        assert status == 0, out + err


@pytest.mark.parametrize("kind", KINDS)
def test_a_busy_admin_port_is_named_with_its_setting(kind, world, tmp_path):
    postgres = world.shared_postgres()
    database = postgres.conninfo("parley_chatd", "parley_template")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = run(
            kind, f"--admin-listen=127.0.0.1:{port}", cwd=tmp_path,
            env={"PARLEY_REDIS_URL": "unix:none.sock",
                 "PARLEY_DATABASE_URL": database, "PARLEY_MIGRATE": "off"})
    assert status not in (0, None)
    lines = error_lines(out + err)
    assert len(lines) == 1, out + err
    assert str(port) in lines[0] and "admin_listen" in lines[0]


def test_a_busy_gateway_port_is_named_with_its_setting(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = run(
            "gateway", f"--listen=127.0.0.1:{port}", "--admin-listen=",
            "--redis-url=unix:none.sock", f"--media-dir={tmp_path}",
            f"--www-dir={tmp_path}", cwd=tmp_path)
    assert status not in (0, None)
    lines = error_lines(out + err)
    assert len(lines) == 1, out + err
    assert str(port) in lines[0] and "listen" in lines[0]


@pytest.mark.parametrize("kind", ["chatd", "presenced"])
def test_a_busy_service_address_is_named_with_its_setting(kind, stack):
    running = stack.chatds[0] if kind == "chatd" else stack.presenceds[0]
    status, out, err = run(
        kind, f"--listen=ipc://{running.name}.sock", "--admin-listen=",
        cwd=stack.directory, env={
            "PARLEY_REDIS_URL": stack.redis.url,
            "PARLEY_DATABASE_URL": stack.postgres.conninfo(
                "parley_chatd", stack.database)})
    assert status not in (0, None)
    lines = error_lines(out + err)
    assert len(lines) == 1, out + err
    assert running.name in lines[0] and "listen" in lines[0]


@pytest.mark.parametrize("flag, kind", [
    ("--admin-listen=nowhere", "gateway"),
    ("--admin-listen=nowhere", "presenced"),
    ("--chatd=carrier-pigeon://coop", "gateway"),
    ("--presenced=tcp://nowhere", "gateway"),
    ("--listen=bogus", "gateway"), ("--redis-url=mysql://x", "gateway"),
    ("--listen=carrier-pigeon://coop", "presenced"),
    ("--chatd=", "gateway"),
])
def test_a_malformed_address_is_refused_and_its_setting_named(
        flag, kind, tmp_path):
    status, out, err = run(kind, "--admin-listen=", flag, cwd=tmp_path)
    assert status not in (0, None)
    lines = error_lines(out + err) or err.splitlines()
    assert len(lines) == 1, out + err
    assert flag[2:].split("=")[0].replace("-", "_") in lines[0]


@pytest.mark.parametrize("kind", KINDS)
def test_each_starts_alone_says_what_it_lacks_and_stops_cleanly(
        kind, world, tmp_path):
    settings = {"redis_url": "redis://127.0.0.1:1"}
    secrets = {}
    if kind == "chatd":
        postgres = world.shared_postgres()
        database = postgres.make_database(template="parley_template")
        secrets["database_url"] = postgres.conninfo("parley_chatd", database)
        settings["migrate"] = "off"
    else:
        settings["chatd"] = "ipc://nobody.sock"
    if kind == "gateway":
        settings.update(media_dir=tmp_path, www_dir=tmp_path)
    if kind != "gateway":
        settings["listen"] = f"ipc://{kind}.sock"
    if kind != "presenced":
        settings["presenced"] = "ipc://nobody.sock"
    maker = Gateway if kind == "gateway" else Daemon
    process = maker(f"{kind}-alone", program(kind), settings, secrets, tmp_path)
    process.start()
    process.wait_ready("/healthz")
    status, text = process.admin("/readyz")
    assert status == 503 and "redis" in text
    assert process.admin("/metrics")[0] == 200
    assert process.terminate() == 0, process.log_tail()
    assert world.faults_of([process]) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_at_any_moment_of_the_start_ends_it(how, new_stack):
    # Until it is ready a process has nothing to finish: the signal's own effect
    # will do. Afterwards it must end in good order.
    stack = new_stack(start=False)
    for process in stack.processes():
        for line in ("starting", "admin_listening", "need_met"):
            before = len(process.log_text())
            process.start()
            process.wait_log(line, before)
            process.begin_terminate(how)
            status = process.child.wait(30)
            process.child = None
            assert status == 0 or status == -how and line != "need_met"


@pytest.mark.plain
def test_a_stop_signal_that_was_ignored_before_the_start_ends_it(tmp_path):
    """As of whatever a shell starts in the background."""
    for _ in range(20):
        with subprocess.Popen(
                ["sh", "-c", "trap '' INT; exec \"$@\"", "sh",
                 program("presenced"), "--admin-listen=",
                 "--listen=ipc://p.sock", "--redis-url=redis://127.0.0.1:1"],
                cwd=tmp_path, stderr=subprocess.PIPE) as child:
            try:
                assert b" starting " in child.stderr.readline()
                child.send_signal(signal.SIGINT)
                assert child.wait(10) in (0, -signal.SIGINT)
            finally:
                child.kill()


def test_sighup_reopens_the_log(new_stack, tmp_path):
    log = tmp_path / "presenced.log"
    stack = new_stack(settings={"presenced": {"log_file": log}})
    poll(lambda: log.exists() and log.read_text(), "a log")
    log.rename(tmp_path / "old.log")
    stack.presenceds[0].child.send_signal(signal.SIGHUP)
    poll(lambda: log.exists(), "the log opened anew")


def test_sigusr1_logs_what_is_inside(stack):
    for process in stack.processes():
        before = len(process.log_text())
        process.child.send_signal(signal.SIGUSR1)
        poll(lambda: len(process.log_text()) > before, "lines in the log")


@pytest.mark.parametrize("kind", ["gateway", "presenced"])
def test_a_peer_of_another_envelope_version_is_refused_clearly(
        kind, tmp_path):
    peer = BUILD / "tests" / "support" / "wrong_version_peer"
    assert peer.exists(), f"{peer} is not built"
    address = "ipc://peer.sock"
    impostor = subprocess.Popen([peer, address], cwd=tmp_path,
                                stdin=subprocess.DEVNULL)
    try:
        flags = [f"--chatd={address}", "--admin-listen=",
                 "--redis-url=redis://127.0.0.1:1"]
        if kind == "gateway":
            flags += [f"--listen=127.0.0.1:{free_port()}",
                      f"--presenced={address}", f"--media-dir={tmp_path}",
                      f"--www-dir={tmp_path}"]
        else:
            flags += ["--listen=ipc://presenced.sock"]
        status, out, err = run(kind, *flags, cwd=tmp_path)
    finally:
        impostor.kill()
        impostor.wait()
    assert status not in (0, None)
    lines = error_lines(out + err)
    assert lines and "version" in lines[0], out + err


def test_metrics_are_well_formed(stack):
    label = r'[a-z_]+="[^"\\\n]*"'
    line = re.compile(rf"[a-z_][a-z0-9_]*(\{{{label}(,{label})*\}})? "
                      r"(-?[0-9.e+-]+|\+Inf|NaN)\Z")
    for process in stack.processes():
        status, text = process.admin("/metrics")
        assert status == 200
        for row in text.splitlines():
            assert row.startswith("#") or line.match(row), row
