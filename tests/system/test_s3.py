"""Uploaded files in an S3-compatible service instead of a directory.

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import re
import urllib.parse

import pytest

from support.client import http_form, http_request
from support.hygiene import secret
from support.process import poll
from support.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3
from support.scene import pair, person
from system.test_processes import error_lines, run

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
HTML = b"<!doctype html><script>alert(1)</script>"
KEYS = {"media_s3_access_key": ACCESS_KEY, "media_s3_secret_key": SECRET_KEY}
WRONG = "not/the+secret=of-the-bucket"


@pytest.fixture
def s3(tmp_path):
    service = S3(tmp_path / "s3").start()
    yield service
    service.kill()


@pytest.fixture
def stack(s3, new_stack, tmp_path):
    """Two gateways that share no directory."""
    (tmp_path / "other").mkdir()
    return new_stack(
        gateways=2, secrets={"gateway": KEYS},
        settings={"gateway": s3.settings,
                  "gateway-2": {"media_dir": tmp_path / "other"}})


def post(stack, session, path, part, content, gateway=0):
    return http_form(
        stack.gateways[gateway], path, {part: ("a.bin", "text/html", content)},
        headers={"Authorization": "Bearer " + session.account.token})


def upload(stack, session, content, gateway=0):
    return post(stack, session, "/api/chat/upload", "file", content, gateway)


def avatar(stack, session, content, gateway=0):
    return post(stack, session, "/api/users/me/avatar", "avatar", content,
                gateway)


def get(stack, url, gateway, method="GET", **headers):
    return http_request(
        stack.gateways[gateway], method, urllib.parse.urlsplit(url).path,
        None, {k.replace("_", "-"): v for k, v in headers.items()})


def left_behind(stack):
    return [name for gateway in stack.gateways
            for name in os.listdir(gateway.settings["media_dir"])]


async def nothing_left(stack):
    for _ in range(200):
        if not left_behind(stack):
            return
        await asyncio.sleep(0.05)
    assert not left_behind(stack)


async def test_both_gateways_serve_what_either_stored(stack, s3):
    ann = await person(stack)
    big = os.urandom(5_000_000)
    urls = {}
    for gateway in (0, 1):
        for content in (PNG, HTML, b"", big):
            answer = upload(stack, ann, content, gateway)
            assert answer.status == 200, answer
            urls[answer.json["url"]] = content
        answer = avatar(stack, ann, PNG, gateway)
        assert answer.status == 200, answer
        urls[answer.json["avatar_url"]] = PNG
    assert s3.names() == {url.rsplit("/", 1)[1] for url in urls}
    assert not left_behind(stack)
    for url, content in urls.items():
        for gateway in (0, 1):
            got = get(stack, url, gateway)
            assert (got.status, got.body) == (200, content)
            assert got.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in got.headers["Content-Security-Policy"]
            shown = got.headers["Content-Disposition"] is None
            assert shown == (content == PNG)
            head = get(stack, url, gateway, "HEAD")
            assert (head.status, head.body) == (200, b"")
            assert head.headers["Content-Length"] == str(len(content))
            for name in ("ETag", "Last-Modified", "Content-Type"):
                assert head.headers[name] == got.headers[name]
    assert {code for _, code in s3.requests} == {None}
    assert not re.search("s3_|media_|upload_", "".join(stack.warnings()))


@pytest.mark.parametrize("gateway", [0, 1])
async def test_ranges_and_conditions_are_as_with_a_directory(stack, gateway):
    content = os.urandom(400_000)
    url = upload(stack, await person(stack), content).json["url"]
    # Not 0-0, for which s3rver sends the whole.
    for text, first, end in [("bytes=0-1", 0, 2), ("bytes=-10", 399_990, None),
                             ("bytes=131071-131073", 131_071, 131_074),
                             ("bytes=1000-", 1000, None)]:
        got = get(stack, url, gateway, Range=text)
        assert (got.status, got.body) == (206, content[first:end])
    got = get(stack, url, gateway, Range="bytes=400000-")
    assert (got.status, got.headers["Content-Range"]) == \
        (416, "bytes */400000")
    tag = get(stack, url, gateway, "HEAD").headers["ETag"]
    assert get(stack, url, gateway, If_None_Match=tag).status == 304
    missing = url.replace(url.rsplit("/", 1)[1][:8], "00000000")
    assert get(stack, missing, gateway).status == 404


async def test_a_refused_picture_is_removed_from_the_bucket(stack, s3):
    ann, ben, _ = await pair(stack)
    chat = (await ann.ask("create_group", name="Painters",
                          member_ids=[ben.account.id]))["chat"]["id"]
    answer = post(stack, ben, f"/api/groups/{chat}/avatar", "avatar", PNG)
    assert (answer.status, answer.json) == (403, {"error": "Not allowed"})
    await asyncio.to_thread(poll, lambda: not s3.names(), "removal")
    assert ("DELETE", None) in s3.requests
    await nothing_left(stack)


async def test_a_hiccup_of_the_service_is_not_noticed(stack, s3):
    ann = await person(stack)
    s3.failing = 2
    answer = upload(stack, ann, PNG)
    assert answer.status == 200, answer
    assert [method for method, _ in s3.requests] == ["PUT"] * 3
    assert get(stack, answer.json["url"], 1).body == PNG
    assert stack.gateways[0].metric("parley_gateway_s3_failed_total") == 2


async def refused(stack, ann):
    """Uploads fail in the words of a full disk, and leave nothing."""
    answer = await asyncio.to_thread(upload, stack, ann, PNG)
    assert (answer.status, answer.json) == (500, {"error": "Upload failed"})
    answer = await asyncio.to_thread(avatar, stack, ann, PNG)
    assert (answer.status, answer.json) == \
        (500, {"error": "Avatar upload failed"})
    await nothing_left(stack)


async def test_a_wrong_secret_stores_nothing_and_is_told(s3, new_stack):
    secret(WRONG)
    stack = new_stack(
        gateways=2, settings={"gateway": s3.settings},
        secrets={"gateway": KEYS,
                 "gateway-1": dict(KEYS, media_s3_secret_key=WRONG)})
    ann = await person(stack)
    await refused(stack, ann)
    assert not s3.names()
    assert ("PUT", "SignatureDoesNotMatch") in s3.requests
    log = stack.gateways[0].log_text()
    assert re.search(r"s3_failed .*status=403 code=SignatureDoesNotMatch "
                     r".*remedy=.*media_s3_secret_key", log)
    assert stack.gateways[0].metric("parley_gateway_uploads_failed_total") == 2
    assert stack.gateways[0].metric("parley_gateway_s3_failed_total") >= 2
    url = upload(stack, ann, PNG, 1).json["url"]
    assert get(stack, url, 0).status == 503
    assert get(stack, url, 1).body == PNG


async def test_with_the_service_gone_chat_goes_on(stack, s3):
    ann, ben, chat_id = await pair(stack)
    url = upload(stack, ann, PNG).json["url"]
    s3.kill()
    await refused(stack, ann)
    assert (await asyncio.to_thread(get, stack, url, 1)).status == 503
    await ann.say(chat_id, "no pictures today")
    await ben.wait("new_message")
    s3.start()
    assert get(stack, url, 1).body == PNG
    assert avatar(stack, ann, PNG).status == 200
    assert upload(stack, ann, PNG, 1).status == 200
    await nothing_left(stack)


async def test_a_service_that_hangs_holds_up_no_chat(stack, s3):
    ann, ben, chat_id = await pair(stack)
    url = upload(stack, ann, PNG).json["url"]
    s3.process.pause()
    waiting = [asyncio.create_task(asyncio.to_thread(upload, stack, ann, PNG))
               for _ in range(3)]
    waiting.append(asyncio.create_task(asyncio.to_thread(get, stack, url, 0)))
    await asyncio.sleep(0.3)
    for i in range(20):
        await ann.say(chat_id, f"still here {i}")
    await ben.until(lambda: len(ben.messages(chat_id)) == 20, "20 messages")
    assert not any(task.done() for task in waiting)
    s3.process.resume()
    assert [a.status for a in await asyncio.gather(*waiting)] == [200] * 4


async def test_a_stop_does_not_wait_for_a_service_that_hangs(s3, new_stack):
    stack = new_stack(secrets={"gateway": KEYS}, settings={
        "gateway": dict(s3.settings, drain_timeout="500ms")})
    ann = await person(stack)
    s3.process.pause()
    waiting = asyncio.create_task(asyncio.to_thread(upload, stack, ann, PNG))
    await asyncio.to_thread(
        poll, lambda: ("PUT", None) in s3.requests, "upload to the service")
    # Ends with status 0 in time, or the stack's end tells.
    await asyncio.to_thread(stack.gateways[0].terminate)
    with pytest.raises(OSError):
        await waiting
    s3.process.resume()


@pytest.mark.parametrize("without, named", [
    ("media_s3_bucket", "media_s3_bucket"),
    ("media_s3_access_key", "media_s3_access_key"),
    ("media_s3_secret_key", "media_s3_secret_key"),
    ("media_s3_endpoint", "media_s3_endpoint")])
def test_settings_that_lack_one_refuse_to_start(without, named, tmp_path):
    settings = dict(KEYS, media_s3_endpoint="http://127.0.0.1:1",
                    media_s3_bucket=BUCKET)
    del settings[without]
    status, out, err = run(
        "gateway", "--admin-listen=", "--listen=127.0.0.1:1", cwd=tmp_path,
        env={"PARLEY_" + k.upper(): v for k, v in settings.items()})
    lines = error_lines(out + err)
    assert status not in (0, None) and len(lines) == 1, out + err
    assert f"lacking={named}" in lines[0]
    assert SECRET_KEY not in out + err


@pytest.mark.parametrize("setting, value", [
    ("media_s3_endpoint", "s3.example.org"),
    ("media_s3_endpoint", "ftp://s3.example.org"),
    ("media_s3_endpoint", "https://a:b@s3.example.org"),
    ("media_s3_bucket", "a/b"), ("media_s3_region", "a b")])
def test_a_malformed_setting_is_named(setting, value, tmp_path):
    settings = dict(KEYS, media_s3_endpoint="http://127.0.0.1:1",
                    media_s3_bucket=BUCKET)
    settings[setting] = value
    status, out, err = run(
        "gateway", "--admin-listen=", "--listen=127.0.0.1:1", cwd=tmp_path,
        env={"PARLEY_" + k.upper(): v for k, v in settings.items()})
    lines = error_lines(out + err)
    assert status not in (0, None) and len(lines) == 1, out + err
    assert f"setting={setting}" in lines[0]
