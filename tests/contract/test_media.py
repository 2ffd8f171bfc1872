"""Uploads (pictures of people and groups, files of messages) and how they are
served back.

SPDX-License-Identifier: MIT
"""

import asyncio
import http.client
import os
import subprocess
import time
import urllib.parse

import pytest

from support.client import (PASSWORD, http_form, http_request, new_id,
                            new_username, private_chat)
from support.scene import chat_info, device, pair, person

PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)
JPEG = b"\xff\xd8\xff\xe0" + bytes(1000)
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(1000)
GIF = b"GIF89a" + bytes(100)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(100)
MP3 = b"ID3\x04" + bytes(100)
WEBM = b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + bytes(100)
PDF = b"%PDF-1.7\n" + bytes(100)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>x</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
PICTURE_MAX = 2 << 20
FILE_MAX = 20 << 20


def bearer(session):
    return {"Authorization": "Bearer " + session.account.token}


def upload(stack, session, content, path="/api/chat/upload", part="file",
           name="a.dat", gateway=0):
    headers = bearer(session) if session else {}
    return http_form(stack.gateways[gateway], path,
                     {part: (name, "text/html", content)}, headers=headers)


def avatar(stack, session, content, path="/api/users/me/avatar", **more):
    return upload(stack, session, content, path, "avatar", **more)


def get(stack, url, gateway=-1, method="GET", **headers):
    """Headers by name, with _ for -."""
    return http_request(
        stack.gateways[gateway], method, urllib.parse.urlsplit(url).path,
        None, {k.replace("_", "-"): v for k, v in headers.items()})


def stored(stack):
    directory = str(stack.directory / "media")
    return {os.path.join(directory, name) for name in os.listdir(directory)}


async def url_of(stack, content):
    answer = upload(stack, await person(stack), content)
    assert answer.status == 200, answer
    return answer.json["url"]


# ---- own picture -----------------------------------------------------------------


@pytest.mark.parametrize("content", [PNG, JPEG, WEBP], ids=[
    "png", "jpeg", "webp"])
async def test_an_avatar_is_jpeg_png_or_webp_by_content(stack, content):
    ann = await person(stack)
    answer = avatar(stack, ann, content, name="picture.exe")
    assert answer.status == 200, answer
    assert list(answer.json) == ["avatar_url"]
    assert get(stack, answer.json["avatar_url"]).body == content


async def test_a_new_avatar_shows_everywhere_at_once(stack):
    ann, ben, chat_id = await pair(stack)
    url = avatar(stack, ann, PNG).json["avatar_url"]
    again = await device(stack, ann, -1)
    assert again.info["user"]["avatar_url"] == url
    seen = await ben.ask("get_person_info", person_id=ann.account.id)
    assert seen["person_info"]["avatar_url"] == url
    members = (await chat_info(ben, chat_id))["members"]
    assert url in [m["avatar_url"] for m in members
                   if m["user_id"] == ann.account.id]
    await ann.say(chat_id, "look")
    told = await ben.wait("new_message")
    assert told["message"]["avatar_url"] == url


@pytest.mark.parametrize("content, words", [
    (GIF, "Invalid avatar type"), (SVG, "Invalid avatar type"),
    (HTML, "Invalid avatar type"), (b"x", "Invalid avatar type"),
    (b"", "Invalid avatar"), (PNG + bytes(PICTURE_MAX), "Avatar too large"),
    (PNG + bytes(PICTURE_MAX * 2), "Avatar too large")],
    ids=["gif", "svg", "html", "byte", "empty", "large", "larger"])
async def test_what_is_no_avatar_is_refused_with_the_words(stack, content,
                                                           words):
    ann = await person(stack)
    before = stored(stack)
    answer = avatar(stack, ann, content, name="a.png")
    assert (answer.status, answer.json) == (400, {"error": words})
    await gone(stack, before)


async def test_an_avatar_of_two_megabytes_is_taken(stack):
    ann = await person(stack)
    content = PNG + bytes(PICTURE_MAX - len(PNG))
    answer = avatar(stack, ann, content)
    assert answer.status == 200, answer
    assert get(stack, answer.json["avatar_url"]).body == content


async def gone(stack, before):
    """Until the store holds what it held before."""
    for _ in range(100):
        if stored(stack) == before:
            return
        await asyncio.sleep(0.05)
    assert stored(stack) == before


@pytest.mark.parametrize("path", [
    "/api/users/me/avatar", "/api/chat/upload",
    "/api/groups/00000000-0000-4000-8000-000000000000/avatar"])
@pytest.mark.parametrize("kind, body", [
    ("application/json", b"{}"), ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=b", b"no parts at all"),
    ("multipart/form-data; boundary=b", b""),
    ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--"),
    ("multipart/form-data; boundary=b",
     b'--b\r\nContent-Disposition: form-data; name="avatar"; '
     b'filename="a"\r\n\r\n' + PNG)])
async def test_a_broken_form_is_invalid_multipart_data(stack, path, kind,
                                                       body):
    ann = await person(stack)
    answer = http_request(stack.gateways[0], "POST", path, body,
                          {"Content-Type": kind, **bearer(ann)})
    assert (answer.status, answer.json) == \
        (400, {"error": "Invalid multipart data"})


async def test_a_form_without_its_file_is_refused(stack):
    ann = await person(stack)
    for path, words in [("/api/users/me/avatar", "Invalid avatar"),
                        ("/api/chat/upload", "Bad request")]:
        answer = http_form(stack.gateways[0], path, {"other": "x"},
                           headers=bearer(ann))
        assert (answer.status, answer.json) == (400, {"error": words})


@pytest.mark.parametrize("path, part", [
    ("/api/users/me/avatar", "avatar"), ("/api/chat/upload", "file"),
    (f"/api/groups/{new_id()}/avatar", "avatar")])
async def test_uploads_need_a_good_token(stack, path, part):
    ann = await person(stack)
    before = stored(stack)
    for headers in [{}, {"Authorization": "Bearer " + "x" * 43},
                    {"Authorization": ann.account.token},
                    {"Cookie": "token=" + ann.account.token}]:
        for content in (PNG, PNG + bytes(1 << 20)):
            answer = http_form(stack.gateways[0], path,
                               {part: ("a.png", "image/png", content)},
                               headers=headers)
            assert (answer.status, answer.json) == \
                (401, {"error": "Unauthorized"})
    assert stored(stack) == before
    await ann.ask("get_contacts")
    await ann.send({"type": "logout"})
    await ann.wait_closed()
    assert upload(stack, ann, PNG, path, part).status == 401


async def test_the_registered_picture_is_the_persons_avatar(stack):
    name = new_username()
    answer = http_form(stack.gateways[0], "/api/register", {
        "avatar": ("a.png", "image/png", PNG), "username": name,
        "password": PASSWORD, "name": "A", "email": f"{name}@example.org"})
    assert answer.status == 201, answer
    ann = await person(stack)
    found = await ann.ask("search_people", input=name)
    url = str(found).split("'avatar_url': '")[1].split("'")[0]
    assert get(stack, url).body == PNG


# ---- a group's picture -----------------------------------------------------------


async def group(stack):
    ann, ben, _ = await pair(stack)
    answer = await ann.ask("create_group", name="Painters",
                           member_ids=[ben.account.id])
    chat_id = answer["chat"]["id"]
    await ben.wait("group_chat_created")
    return ann, ben, chat_id


async def test_a_groups_new_picture_is_told_to_all_members(stack):
    ann, ben, chat_id = await group(stack)
    answer = avatar(stack, ann, PNG, f"/api/groups/{chat_id}/avatar")
    assert answer.status == 200, answer
    url = answer.json["avatar_url"]
    assert list(answer.json) == ["avatar_url"]
    for member in (ann, ben):
        told = await member.wait("group_avatar_updated")
        assert (told["chat_id"], told["avatar_url"]) == (chat_id, url)
        assert (await chat_info(member, chat_id))["avatar_url"] == url
    assert get(stack, url).body == PNG


async def test_a_group_that_exists_takes_pictures_of_admins_only(stack):
    ann, ben, chat_id = await group(stack)
    eve = await person(stack)
    was = (await chat_info(ann, chat_id))["avatar_url"]
    before = stored(stack)
    for other in (ben, eve):
        answer = avatar(stack, other, PNG, f"/api/groups/{chat_id}/avatar")
        assert (answer.status, answer.json) == (403, {"error": "Not allowed"})
    await gone(stack, before)
    assert (await chat_info(ann, chat_id))["avatar_url"] == was
    await ann.fence()
    assert not ann.all("group_avatar_updated")


async def test_a_private_chats_id_is_one_that_no_group_has(stack):
    ann, ben, chat_id = await pair(stack)
    was = [await chat_info(one, chat_id) for one in (ann, ben)]
    for other in (ann, await person(stack)):
        answer = avatar(stack, other, PNG, f"/api/groups/{chat_id}/avatar")
        assert answer.status == 200, answer
    assert [await chat_info(one, chat_id) for one in (ann, ben)] == was
    await ben.fence()
    assert not ben.all("group_avatar_updated")


async def test_a_picture_may_be_there_before_its_group_is(stack):
    ann = await person(stack)
    answer = avatar(stack, ann, PNG, f"/api/groups/{new_id()}/avatar")
    assert answer.status == 200, answer
    url = answer.json["avatar_url"]
    made = await ann.ask("create_group", name="Later", avatar_url=url,
                         member_ids=[])
    assert made["chat"]["avatar_url"] == url
    assert get(stack, url).body == PNG


async def test_a_malformed_group_id_is_not_found(stack):
    ann = await person(stack)
    assert avatar(stack, ann, PNG, "/api/groups/x/avatar").status == 404


# ---- files of messages -----------------------------------------------------------


@pytest.mark.parametrize("content, mime", [
    (PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"),
    (GIF, "image/gif"), (MP4, "video/mp4"), (MP3, "audio/mpeg"),
    (WEBM, "video/webm")])
async def test_what_a_browser_only_shows_or_plays_is_no_download(
        stack, content, mime):
    answer = upload(stack, await person(stack), content)
    assert answer.status == 200
    assert set(answer.json) == {"url", "mime"} and answer.json["mime"] == mime
    got = get(stack, answer.json["url"])
    assert (got.status, got.body) == (200, content)
    assert got.headers["Content-Type"] == mime
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Disposition"] is None
    assert "sandbox" in got.headers["Content-Security-Policy"]


@pytest.mark.parametrize("content, mime", [
    (SVG, "application/octet-stream"), (HTML, "application/octet-stream"),
    (b"#!/bin/sh\n", "application/octet-stream"),
    (PDF, "application/pdf"), (b"", "application/octet-stream"),
    (b"PK\x03\x04" + bytes(30), "application/zip")])
async def test_all_else_is_a_download_whatever_it_was_called(stack, content,
                                                             mime):
    answer = upload(stack, await person(stack), content, name="a.html")
    assert answer.status == 200 and answer.json["mime"] == mime
    got = get(stack, answer.json["url"])
    assert (got.status, got.body) == (200, content)
    assert got.headers["Content-Type"] == mime
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in got.headers["Content-Security-Policy"]


async def test_an_uploaded_url_may_be_sent_as_a_message(stack):
    ann, ben, chat_id = await pair(stack)
    url = upload(stack, ann, PNG).json["url"]
    await ann.say(chat_id, url, format="image")
    told = await ben.wait("new_message")
    assert told["message"]["content"] == url
    assert get(stack, told["message"]["content"]).body == PNG


@pytest.mark.plain
async def test_a_file_of_20_megabytes_goes_in_and_out_unchanged(stack):
    content = os.urandom(FILE_MAX)
    url = await url_of(stack, content)
    assert get(stack, url).body == content


@pytest.mark.plain
async def test_a_file_over_20_megabytes_is_413(stack):
    ann = await person(stack)
    before = stored(stack)
    for more in (1, 1 << 20):
        answer = upload(stack, ann, bytes(FILE_MAX + more))
        assert (answer.status, answer.json) == \
            (413, {"error": "File too large"})
    await gone(stack, before)


async def test_an_upload_broken_off_leaves_nothing(stack):
    ann = await person(stack)
    before = stored(stack)
    link = stack.gateways[0].connection()
    link.putrequest("POST", "/api/chat/upload")
    link.putheader("Content-Type", "multipart/form-data; boundary=b")
    link.putheader("Content-Length", str(10 << 20))
    for name, value in bearer(ann).items():
        link.putheader(name, value)
    link.endheaders()
    link.send(b'--b\r\nContent-Disposition: form-data; name="file"; '
              b'filename="a"\r\n\r\n' + bytes(5 << 20))
    for _ in range(100):
        if stored(stack) != before:
            break
        await asyncio.sleep(0.05)
    assert stored(stack) != before
    link.close()
    await gone(stack, before)


async def test_a_store_that_cannot_be_written_is_a_clean_error(new_stack):
    stack = new_stack()
    ann = await person(stack)
    directory = str(stack.directory / "media")
    os.rename(directory, directory + ".away")
    try:
        answer = upload(stack, ann, bytes(3 << 20))
        assert (answer.status, answer.json) == \
            (500, {"error": "Upload failed"})
        answer = avatar(stack, ann, PNG)
        assert (answer.status, answer.json) == \
            (500, {"error": "Avatar upload failed"})
    finally:
        os.rename(directory + ".away", directory)
    assert avatar(stack, ann, PNG).status == 200


@pytest.fixture
def small_disk(new_stack):
    """A stack whose store is a file system of one megabyte."""
    stack = new_stack(start=False)
    directory = str(stack.directory / "media")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "parley-test",
                       directory], capture_output=True).returncode != 0:
        pytest.skip("this account may not mount file systems")
    try:
        stack.start()
        yield stack
    finally:
        # Lazily: the gateway may have a file open.
        subprocess.run(["umount", "-l", directory], check=True)


@pytest.mark.plain
async def test_a_full_disk_is_a_clean_error_and_leaves_nothing(small_disk):
    ann = await person(small_disk)
    for _ in range(3):
        answer = upload(small_disk, ann, os.urandom(5 << 20))
        assert (answer.status, answer.json) == \
            (500, {"error": "Upload failed"})
        await gone(small_disk, set())
    answer = upload(small_disk, ann, PNG)
    assert answer.status == 200
    assert get(small_disk, answer.json["url"]).body == PNG


async def test_many_uploads_at_once_do_not_mix(stack):
    ann = await person(stack)
    contents = [os.urandom(700_000) for _ in range(12)]
    answers = await asyncio.gather(*[
        asyncio.to_thread(upload, stack, ann, content)
        for content in contents])
    for answer, content in zip(answers, contents):
        assert answer.status == 200
        got = await asyncio.to_thread(get, stack, answer.json["url"])
        assert got.body == content


# ---- serving ---------------------------------------------------------------------


async def test_a_file_may_be_cached_for_ever(stack):
    url = await url_of(stack, PNG)
    got = get(stack, url)
    assert "immutable" in got.headers["Cache-Control"]
    assert get(stack, url, gateway=0).headers["ETag"] == got.headers["ETag"]
    for headers in [{"If_None_Match": got.headers["ETag"]},
                    {"If_Modified_Since": got.headers["Last-Modified"]}]:
        again = get(stack, url, **headers)
        assert (again.status, again.body) == (304, b"")
    assert get(stack, url, If_None_Match='"other"').status == 200


async def test_head_tells_the_length_and_sends_nothing(stack):
    url = await url_of(stack, PNG)
    got = get(stack, url, method="HEAD")
    assert (got.status, got.body) == (200, b"")
    assert got.headers["Content-Length"] == str(len(PNG))
    assert got.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("text, first, end", [
    ("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=990-", 990, 1000),
    ("bytes=-10", 990, 1000), ("bytes=-5000", 0, 1000),
    ("bytes=500-99999", 500, 1000), ("bytes=0-", 0, 1000)])
async def test_a_range_is_206_with_that_part(stack, text, first, end):
    content = os.urandom(1000)
    got = get(stack, await url_of(stack, content), Range=text)
    assert (got.status, got.body) == (206, content[first:end])
    assert got.headers["Content-Range"] == f"bytes {first}-{end - 1}/1000"


@pytest.mark.parametrize("text", ["bytes=1000-", "bytes=5000-6000",
                                  "bytes=-0"])
async def test_a_range_outside_is_416(stack, text):
    got = get(stack, await url_of(stack, bytes(1000)), Range=text)
    assert (got.status, got.body) == (416, b"")
    assert got.headers["Content-Range"] == "bytes */1000"


@pytest.mark.parametrize("text", [
    "bytes=0-1,5-6", "bytes=9-5", "bytes=a-b", "items=0-5", "bytes=",
    "bytes=-", "bytes=1" + "0" * 30 + "-"])
async def test_a_range_not_understood_gives_the_whole(stack, text):
    got = get(stack, await url_of(stack, bytes(1000)), Range=text)
    assert (got.status, len(got.body)) == (200, 1000)


async def test_if_range_of_another_file_gives_the_whole(stack):
    url = await url_of(stack, bytes(1000))
    tag = get(stack, url).headers["ETag"]
    assert get(stack, url, Range="bytes=0-1", If_Range=tag).status == 206
    assert get(stack, url, Range="bytes=0-1",
               If_Range='"other"').status == 200


@pytest.mark.parametrize("path", [
    "/media/", "/media/x", "/media/../gateway.log", "/media/..%2Fx.png",
    "/media/%2e%2e/x.png", "/media/.", "/media//etc/passwd",
    f"/media/{new_id()}.png", f"/media/{new_id()}.html",
    f"/media/{new_id()}.png/..",
    f"/media/.{new_id()}.part"])
def test_no_path_leads_out_of_the_store(stack, path):
    answer = http_request(stack.gateways[0], "GET", path)
    assert answer.status in (400, 403, 404), answer


def test_a_path_with_a_nul_gets_nothing(stack):
    with pytest.raises(http.client.RemoteDisconnected):
        http_request(stack.gateways[0], "GET",
                     f"/media/{new_id()}.png%00.html")


async def test_a_name_with_another_ending_is_not_found(stack):
    url = await url_of(stack, HTML)
    for ending in (".html", ".png", ".svg", "", ".bin.html"):
        assert get(stack, url[:-len(".bin")] + ending).status == 404
    assert get(stack, url).status == 200


async def test_files_on_one_connection_follow_each_other(stack):
    content = os.urandom(300_000)
    path = urllib.parse.urlsplit(await url_of(stack, content)).path
    link = stack.gateways[0].connection()
    for _ in range(3):
        link.request("GET", path)
        assert link.getresponse().read() == content
        link.request("GET", path, headers={"Range": "bytes=7-"})
        assert link.getresponse().read() == content[7:]
        link.request("HEAD", path)
        assert link.getresponse().read() == b""
    link.close()


async def test_readers_who_leave_midway_harm_nobody(stack):
    content = os.urandom(4 << 20)
    url = await url_of(stack, content)
    gateway = stack.gateways[0]
    for _ in range(10):
        link = gateway.connection()
        link.request("GET", urllib.parse.urlsplit(url).path)
        link.getresponse().read(1000)
        link.close()
    start = time.monotonic()
    assert get(stack, url, gateway=0).body == content
    assert time.monotonic() - start < 10


# ---- CORS ------------------------------------------------------------------------


async def test_cors_is_for_the_listed_origins_alone(new_stack):
    stack = new_stack(settings={"gateway": {
        "cors_origins": "https://app.example.org"}})
    url = await url_of(stack, PNG)
    path = urllib.parse.urlsplit(url).path
    for where in (path, "/api/health", "/api/users/me/avatar"):
        for origin, allowed in [("https://app.example.org", True),
                                ("https://evil.example.org", False),
                                ("null", False)]:
            answer = http_request(stack.gateways[0], "OPTIONS", where, None, {
                "Origin": origin, "Access-Control-Request-Method": "POST"})
            assert answer.status == (204 if allowed else 403)
            answer = http_request(stack.gateways[0], "GET", where, None,
                                  {"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == \
                (origin if allowed else None)
            assert answer.headers["Vary"] == "origin"
            assert answer.headers["Access-Control-Allow-Credentials"] is None
