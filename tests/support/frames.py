"""What a frame from the server may look like: docs/asyncapi.yaml, and what no
schema can say. The tests hold every frame they receive against it, whatever they
are about.

SPDX-License-Identifier: MIT
"""

from pathlib import Path

import yaml

from .schema import Document, Wrong

PATH = Path(__file__).resolve().parents[2] / "docs" / "asyncapi.yaml"
DOCUMENT = Document(yaml.load(PATH.read_text(), yaml.CSafeLoader))
MESSAGES = DOCUMENT.content["components"]["messages"]


def named(prefix):
    """Type -> key in the document."""
    return {m["name"]: key for key, m in MESSAGES.items()
            if key.startswith(prefix)}


REQUESTS = named("request_")
EVENTS = named("event_")

# The types of all events that were received in this run.
seen = set()

# The first seq of chats that have lost their beginning (retention).
begins = {}


def payload(key):
    return f"#/components/messages/{key}/payload"


def check_frame(frame):
    """Raises Wrong unless `frame` is an event of the contract, entire."""
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise Wrong(f"a frame without a type: {frame!r}")
    kind = frame["type"]
    if kind not in EVENTS:
        raise Wrong(f"an event of unknown type {kind!r}")
    seen.add(kind)
    DOCUMENT.check(frame, payload(EVENTS[kind]), kind)
    if frame.get("chat"):
        check_chat(frame["chat"], kind)
    items = frame.get("last_chats", []) + [frame.get("chat_item")]
    for item in filter(None, items):
        check_kind(item, kind)


def check_request(frame):
    """Raises Wrong unless `frame` is a request of the contract."""
    DOCUMENT.check(frame, payload(REQUESTS[frame["type"]]), frame["type"])


def check_kind(chat, where):
    """What groups have and private chats have not, and the other way round."""
    group = chat["type"] == "group"
    if group != (chat["status"] is None):
        raise Wrong(f"{where}: a {chat['type']} chat of status "
                    f"{chat['status']}")
    if "other_user_id" in chat and group != (chat["other_user_id"] is None):
        raise Wrong(f"{where}: a {chat['type']} chat with the other user "
                    f"{chat['other_user_id']}")


def check_chat(chat, where):
    check_kind(chat, where)
    if (chat["type"] == "group") != ("description" in chat):
        raise Wrong(f"{where}: description stands in groups, and only there")
    seqs = [m["seq"] for m in chat["messages"]]
    if seqs != list(range(chat["last_seq"] - len(seqs) + 1,
                          chat["last_seq"] + 1)):
        raise Wrong(f"{where}: seqs {seqs} do not end at {chat['last_seq']}")
    if chat["has_more"] != (bool(seqs) and
                            seqs[0] > begins.get(chat["id"], 1)):
        raise Wrong(f"{where}: has_more is {chat['has_more']} before seq "
                    f"{seqs[0] if seqs else None}")


__all__ = ["EVENTS", "REQUESTS", "Wrong", "check_frame", "check_request",
           "seen"]
