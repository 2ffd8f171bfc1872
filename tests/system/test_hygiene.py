"""The tests' own look for secrets: it must find one that is planted.

SPDX-License-Identifier: MIT
"""

import os
import signal
import uuid

from support import hygiene
from support.client import http_request, new_username, register
from support.process import Process, poll


def forget(*words):
    """Else the run itself would fail."""
    for word in words:
        hygiene._secrets.discard(word)
        hygiene._bodies.discard(word)


def test_a_secret_in_any_log_of_the_run_is_found(tmp_path):
    for what in (hygiene.secret, hygiene.body):
        word = "planted " + uuid.uuid4().hex
        what(word)
        deep = tmp_path / "stack-1" / "sub" / "chatd-1.log"
        deep.parent.mkdir(parents=True, exist_ok=True)
        deep.write_text("info chatd a line\n")
        assert hygiene.sweep(tmp_path) == []
        deep.write_text(f"info chatd a line key={word}\n")
        assert len(hygiene.sweep(tmp_path)) == 1
        assert len(hygiene.faults_in(deep)) == 1
        # The report does not pass it on.
        assert word not in "".join(hygiene.sweep(tmp_path))
        forget(word)
        assert hygiene.sweep(tmp_path) == []


def test_a_secret_on_a_command_line_is_found_also_of_a_child(tmp_path):
    for name, argv in (
            ("planted", ["sh", "-c", "sleep 100 & wait"]),
            ("planted parent", ["sh", "-c", "sh -c 'sleep 100 & wait' x "
                                '"$(cat word)" & wait'])):
        word = hygiene.secret("planted-" + uuid.uuid4().hex)
        (tmp_path / "word").write_text(word)
        argv += [word] if name == "planted" else []
        process = Process(name, argv, tmp_path, tmp_path / "x.log").start()

        def noted():
            process.require_alive()
            hygiene.note_command_lines(name, process.pid)
            return any(word in line for lines in
                       hygiene._command_lines.values() for line in lines)
        try:
            poll(noted, "secret among the command lines")
            faults = hygiene.faults_in_command_lines()
            # A child that has not yet become its program shows its parent's.
            assert faults and all(name in fault for fault in faults)
            assert not any(word in fault for fault in faults)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.child.wait(10)
            forget(word)
        assert hygiene.faults_in_command_lines() == []


def test_passwords_and_tokens_are_noted_by_themselves(stack):
    password = "noted-" + uuid.uuid4().hex
    username = new_username()
    account = register(stack.gateways[0], username, password=password)
    answer = http_request(stack.gateways[0], "POST", "/api/login", {
        "username": username, "password": password})
    assert {password, account.token, answer.json["token"]} \
        <= hygiene._secrets


def test_the_stores_are_given_no_secret_on_a_command_line(stack):
    for process in (stack.redis, stack.postgres, *stack.processes()):
        hygiene.note_command_lines(process.name, process.pid)
        assert process.name in hygiene._command_lines
    assert hygiene.faults_in_command_lines() == []
