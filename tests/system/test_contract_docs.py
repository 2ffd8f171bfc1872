"""docs/asyncapi.yaml and docs/openapi.yaml, held against the table of the
contract and the gateway's routes; and our judge of schemas against another.

SPDX-License-Identifier: MIT
"""

import copy
import json
import re

import jsonschema
import pytest
import yaml

from support import answers, docs_pages, frames
from support.schema import Document, Wrong
from support.stack import ROOT

pytestmark = pytest.mark.plain

WS = frames.DOCUMENT.content
HTTP = answers.DOCUMENT.content
MESSAGES = WS["components"]["messages"]


# ---- the table -----------------------------------------------------------------

def rows():
    """The rows of common/contract.def: (macro, [arguments], [fields])."""
    text = (ROOT / "common" / "contract.def").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = []
    for macro, inside in re.findall(r"^\s*(\w+)\((.*?)\)\s*$", text,
                                    re.MULTILINE | re.DOTALL):
        arguments = [a.strip().strip('"') for a in inside.split(",")]
        if macro == "FIELD":
            found[-1][2].append(arguments)
        elif macro != "END":
            found.append((macro, arguments, []))
    return found


ROWS = rows()
REQUEST_ROWS = {args[1]: fields for macro, args, fields in ROWS
                if macro == "REQUEST"}
EVENT_ROWS = [args[0] for macro, args, _ in ROWS if macro == "EVENT"]
HTTP_ROWS = [(args[2], args[3], args[1], fields) for macro, args, fields in ROWS
             if macro == "HTTP_CALL"]


def test_the_table_was_read():
    assert len(REQUEST_ROWS) >= 22 and len(EVENT_ROWS) >= 29
    assert REQUEST_ROWS["send_message"][4] == \
        ["send_message", "content", "msg.content", "TEXT", "5000", "REQUIRED"]


# ---- frames ---------------------------------------------------------------------

def test_every_request_of_the_table_is_documented_and_no_other():
    assert set(frames.REQUESTS) == set(REQUEST_ROWS)


def test_every_event_of_the_table_is_documented_and_no_other():
    assert set(frames.EVENTS) == set(EVENT_ROWS)


def test_every_message_is_of_the_channel_and_has_an_operation():
    channel = WS["channels"]["ws"]["messages"]
    assert set(channel) == set(MESSAGES)
    operations = dict(WS["operations"])
    sent = {m["$ref"].rsplit("/", 1)[1]
            for m in operations.pop("events")["messages"]}
    assert sent == set(frames.EVENTS.values())
    assert set(operations) == set(frames.REQUESTS)
    for name, operation in operations.items():
        assert operation["messages"] == \
            [{"$ref": f"#/channels/ws/messages/request_{name}"}]


def resolved(schema):
    """The schema, or the one of the kinds it may be that is not null."""
    while True:
        if "$ref" in schema:
            schema = frames.DOCUMENT.at(schema["$ref"])
        elif "oneOf" in schema:
            schema = schema["oneOf"][0]
        else:
            return schema


def properties(schema, prefix=""):
    """path -> (its schema, whether it is required), of objects in objects too.
    """
    found = {}
    for key, inner in schema.get("properties", {}).items():
        if not inner.get("x-ignored"):
            found[prefix + key] = inner, key in schema.get("required", [])
            found.update(properties(inner, prefix + key + "."))
    return found


def takes_null(schema):
    try:
        frames.DOCUMENT.compile(schema)(None, "null")
    except Wrong:
        return False
    return True


KIND_TYPES = {"UUID": "string", "TEXT": "string", "BOOL": "boolean",
              "INT": "integer", "UUID_LIST": "array", "MARK_LIST": "array",
              "OBJECT": "object"}


@pytest.mark.parametrize("name", sorted(REQUEST_ROWS))
def test_the_fields_of_requests_are_those_of_the_table(name):
    documented = properties(MESSAGES["request_" + name]["payload"])
    del documented["type"], documented["request_id"]
    fields = {f[2]: f for f in REQUEST_ROWS[name]}
    assert set(documented) == set(fields)
    for path, (_, _, _, kind, most, flags) in fields.items():
        schema, required = documented[path]
        assert required == (flags == "REQUIRED"), path
        assert takes_null(schema) == (flags in ("NULLABLE", "SOFT")), path
        assert schema.get("x-soft", False) == (flags == "SOFT"), path
        schema = resolved(schema)
        if kind == "FORMAT":
            assert schema["enum"][:5] == \
                ["text", "image", "video", "audio", "file"]
            continue
        types = schema["type"]
        types = types if isinstance(types, list) else [types]
        assert set(types) - {"null"} == {KIND_TYPES[kind]}, path
        if kind == "UUID":
            assert schema["format"] == "uuid"
        elif kind == "UUID_LIST":
            assert resolved(schema["items"])["format"] == "uuid"
        limit = schema.get("maxLength", schema.get("maxItems", 0))
        assert limit == int(most), path


def test_requests_may_carry_more_and_events_may_not():
    def closed(schema):
        if schema.get("type") == "object":
            assert schema.get("additionalProperties") is False, schema
        for inner in [*schema.get("properties", {}).values(),
                      *schema.get("oneOf", []),
                      *filter(None, [schema.get("items")])]:
            closed(frames.DOCUMENT.at(inner["$ref"]) if "$ref" in inner
                   else inner)
    for name, key in frames.EVENTS.items():
        closed(MESSAGES[key]["payload"])
    for key in frames.REQUESTS.values():
        assert "additionalProperties" not in MESSAGES[key]["payload"]


def test_reasons_are_those_of_the_table_of_errors():
    text = (ROOT / "common" / "err.def").read_text()
    reasons = {reason for number, reason in re.findall(
        r'^ERR\(\w+, (\d+), "(\w+)"', text, re.MULTILINE)
        if 0 < int(number) < 20}
    assert set(WS["components"]["schemas"]["Reason"]["enum"]) == reasons


# ---- HTTP -----------------------------------------------------------------------

METHODS = ("get", "post", "put", "patch", "delete")


def plain_path(path):
    return re.sub(r"\{\w+\}", "{id}", path)


def documented_routes():
    return {(method.upper(), plain_path(path)): operation
            for path, item in HTTP["paths"].items()
            for method, operation in item.items() if method in METHODS}


def gateway_routes():
    """(method, path) -> needs a token, from the gateway's table."""
    text = (ROOT / "gateway" / "routes.c").read_text()
    return {(method, path): bearer == "true" for method, path, bearer in
            re.findall(r'\{ HTTP_(\w+), "([^"]+)",\s*\w+,\s*(true|false),',
                       text)}


def test_every_route_of_the_gateway_is_documented_and_no_other():
    assert set(gateway_routes()) == {route for route in documented_routes()
                                     if route[1].startswith("/api/")}


def test_routes_say_whether_they_need_a_token():
    documented = documented_routes()
    for route, bearer in gateway_routes().items():
        operation = documented[route]
        assert ("security" in operation) == bearer, route
        assert ("401" in operation["responses"]) == \
            (bearer or route[1] == "/api/login"), route


def test_every_http_row_of_the_table_is_documented():
    documented = documented_routes()
    for method, path, name, fields in HTTP_ROWS:
        operation = documented[method, path]
        assert operation["operationId"] == name
        body = operation.get("requestBody", {}).get("content", {}).get(
            "application/json")
        if body is None:
            continue
        schema = answers.DOCUMENT.at(body["schema"]["$ref"])
        # What the gateway adds is not the client's to send.
        wanted = {f[2]: f[5] for f in fields if f[2] != "avatar_url"}
        assert set(schema["properties"]) == set(wanted), name
        assert set(schema["required"]) == set(wanted), name


# ---- examples --------------------------------------------------------------------

def checked(document, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(
        schema, resolver=jsonschema.RefResolver("", document))


def judged(rule, value):
    try:
        rule(value, "it")
    except Wrong:
        return False
    return True


def spoiled(value):
    """Every way to take a key or an element away, add one, or put something
    else in the place of a value."""
    for other in (None, True, 1, -1, "x", "", "x\n", [], {}):
        yield other
    if isinstance(value, str):
        yield value + "\n"
        yield value.upper()
        yield value * 400
    if isinstance(value, dict):
        yield dict(value, more=1)
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            for inner in spoiled(value[key]):
                yield dict(value, **{key: inner})
    if isinstance(value, list):
        yield value * 2
        for number, item in enumerate(value[:2]):
            for inner in spoiled(item):
                yield value[:number] + [inner] + value[number + 1:]


@pytest.mark.parametrize("key", sorted(MESSAGES))
def test_examples_of_frames_keep_their_schemas(key):
    schema = MESSAGES[key]["payload"]
    judge = checked(WS, schema)
    rule = frames.DOCUMENT.compile(schema)
    assert MESSAGES[key]["examples"]
    for example in MESSAGES[key]["examples"]:
        frame = example["payload"]
        assert frame["type"] == MESSAGES[key]["name"]
        judge.validate(frame)
        rule(frame, key)
        if key.startswith("event_"):
            frames.check_frame(copy.deepcopy(frame))
        for wrong in list(spoiled(frame))[::7]:
            # Of "$" the two have different notions before a line's end.
            if "\\n" not in json.dumps(wrong):
                assert judged(rule, wrong) == judge.is_valid(wrong), wrong


def media_types():
    for name, response in HTTP["components"]["responses"].items():
        yield name, response.get("content", {})
    for route, operation in documented_routes().items():
        request = operation.get("requestBody", {})
        yield route, request.get("content", {})
        for response in operation["responses"].values():
            yield route, response.get("content", {})


def test_examples_of_http_keep_their_schemas():
    count = 0
    for where, content in media_types():
        for kind, media in content.items():
            judge = checked(HTTP, media["schema"])
            if kind == "application/json":
                judge.validate(media["example"])
                answers.DOCUMENT.compile(media["schema"])(
                    media["example"], str(where))
                count += 1
    assert count > 10


def test_an_unknown_keyword_of_a_schema_is_refused():
    with pytest.raises(ValueError):
        Document({"a": {"type": "string", "minContains": 1}}).rule("#/a")


def test_references_of_the_documents_lead_somewhere():
    for document in (frames.DOCUMENT, answers.DOCUMENT):
        text = yaml.dump(document.content)
        for pointer in re.findall(r"\$ref: '?(#[^'\s,}]+)", text):
            document.at(pointer)


# ---- pages -----------------------------------------------------------------------

@pytest.mark.parametrize("path", sorted(docs_pages.PAGES),
                         ids=lambda p: p.name)
def test_pages_are_made_from_the_documents(path):
    assert path.read_text() == docs_pages.PAGES[path](), \
        "cd tests && /usr/bin/python3 -m support.docs_pages"


@pytest.mark.parametrize("path", sorted(docs_pages.PAGES),
                         ids=lambda p: p.name)
def test_pages_need_nothing_from_another_host(path):
    text = path.read_text()
    assert not re.search(r'(?:src|href)="(?:\w+:)?//', text)
    assert "<script" not in text and "style=" not in text
