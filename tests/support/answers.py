"""What an HTTP answer may look like: docs/openapi.yaml.

SPDX-License-Identifier: MIT
"""

import json
import re
from pathlib import Path

import yaml

from .schema import Document, Wrong

PATH = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
DOCUMENT = Document(yaml.load(PATH.read_text(), yaml.CSafeLoader))

# What any path may answer, whatever it is: see the document's introduction.
ANYWHERE = (405, 411, 413, 429, 503)
UUID = "[0-9A-Fa-f-]{36}"
FILE = r"[0-9a-f-]{36}\.[0-9a-z]+"


def pattern(path):
    path = re.sub(r"\{(\w+)\}",
                  lambda m: FILE if m[1] == "name" else UUID, path)
    return re.compile(path + r"\Z")


PATHS = [(pattern(path), item) for path, item in
         DOCUMENT.content["paths"].items()]


def follow(value):
    return DOCUMENT.at(value["$ref"]) if "$ref" in value else value


def operation_of(method, target):
    path = target.partition("?")[0]
    for known, item in PATHS:
        if known.match(path):
            return item.get("get" if method == "HEAD" else method.lower())
    return None


def check_answer(method, target, answer):
    """Raises Wrong unless the answer is one that the document tells of."""
    operation = operation_of(method, target)
    if operation is None:
        return
    where = f"{method} {target.partition('?')[0]}: {answer.status}"
    response = operation["responses"].get(str(answer.status))
    if response is None:
        if answer.status not in ANYWHERE:
            raise Wrong(f"{where} is not documented")
        return
    content = follow(response).get("content")
    if method == "HEAD":
        return
    if content is None:
        if answer.body:
            raise Wrong(f"{where} has a body")
        return
    kind = answer.headers.get_content_type()
    if kind not in content and "*/*" not in content:
        raise Wrong(f"{where} is {kind}")
    if kind == "application/json":
        rule = DOCUMENT.compile(content[kind]["schema"])
        rule(json.loads(answer.body), where)
