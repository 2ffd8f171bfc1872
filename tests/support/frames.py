"""What a frame from the server may look like, as a table, and its checker.

Each event type has an object rule: every key listed must be there, with a value
of its kind, and no other key may be. The tests hold every frame they receive
against it, whatever they are about.

SPDX-License-Identifier: MIT
"""

import re

UUID_TEXT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
TIME_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
URL_TEXT = re.compile(r"https?://[^\s/]+/\S*\Z")

REASONS = ("invalid_json", "unknown_type", "invalid_field", "too_large",
           "not_found", "unauthorized", "rate_limited", "unavailable")


class Wrong(Exception):
    """A value that breaks the rule; the text says where and how."""


def text(value):
    return isinstance(value, str)


def integer(value):
    return isinstance(value, int) and not isinstance(value, bool) \
        and value >= 0


def positive(value):
    return integer(value) and value > 0


def boolean(value):
    return isinstance(value, bool)


def true(value):
    return value is True


def null(value):
    return value is None


def identifier(value):
    return text(value) and UUID_TEXT.match(value) is not None


def time(value):
    return text(value) and TIME_TEXT.match(value) is not None


def url(value):
    return text(value) and URL_TEXT.match(value) is not None


def one_of(*values):
    def check(value):
        return any(value is v or value == v for v in values)
    check.__name__ = "one of " + ", ".join(map(repr, values))
    return check


class Maybe:
    """A key that is always there and may be null."""

    def __init__(self, rule):
        self.rule = rule


class Optional:
    """A key that may be left out."""

    def __init__(self, rule):
        self.rule = rule


def check(value, rule, where):
    """Raises Wrong unless `value` keeps `rule`: a function, a Maybe, a list of
    one rule (an array of such), or a dict of rules (an object)."""
    if isinstance(rule, Maybe):
        if value is not None:
            check(value, rule.rule, where)
    elif isinstance(rule, list):
        if not isinstance(value, list):
            raise Wrong(f"{where} is no array: {value!r}")
        for number, item in enumerate(value):
            check(item, rule[0], f"{where}[{number}]")
    elif isinstance(rule, dict):
        check_object(value, rule, where)
    elif not rule(value):
        raise Wrong(f"{where} is not {rule.__name__}: {value!r}")


def check_object(value, rule, where):
    if not isinstance(value, dict):
        raise Wrong(f"{where} is no object: {value!r}")
    for key, inner in rule.items():
        if isinstance(inner, Optional):
            if key in value:
                check(value[key], inner.rule, f"{where}.{key}")
        elif key not in value:
            raise Wrong(f"{where}.{key} is missing")
        else:
            check(value[key], inner, f"{where}.{key}")
    for key in value:
        if key not in rule:
            raise Wrong(f"{where}.{key} is not in the contract")


FORMAT = one_of("text", "image", "video", "audio", "file")
STATE = one_of("sent", "delivered", "read")
DIRECTION = one_of("incoming", "outgoing")
CHAT_TYPE = one_of("private", "group")
STATUS = one_of("Online", "Offline")

LAST_MESSAGE = {
    "id": Optional(identifier), "user_id": Optional(identifier),
    "seq": Optional(positive), "type": DIRECTION, "content": text, "state": STATE, "time": time,
    "sender_name": text, "format": FORMAT, "filename": Maybe(text),
}

CHAT_ITEM = {
    "id": identifier, "type": CHAT_TYPE, "name": text, "avatar_url": url,
    "unread_messages": integer, "last_message": Maybe(LAST_MESSAGE),
    "status": Maybe(STATUS), "other_user_id": Maybe(identifier),
}

MESSAGE = {
    "id": identifier, "content": text, "user_id": identifier,
    "chat_id": identifier, "state": STATE, "time": time,
    "deleted_at": Maybe(time), "avatar_url": url, "format": FORMAT,
    "filename": Maybe(text), "type": DIRECTION, "sender_name": text,
    "seq": positive, "updated_at": Optional(Maybe(time)),
    "front_msg_id": Optional(Maybe(identifier)),
}

MEMBER = {
    "user_id": identifier, "username": text, "name": text, "avatar_url": url,
    "last_read_at": Maybe(time), "last_seen_at": Maybe(time),
    "nickname": Maybe(text), "role": one_of("member", "admin"),
    "status": STATUS,
}

CHAT = {
    "id": identifier, "messages": [MESSAGE], "name": text,
    "description": Optional(Maybe(text)), "status": Maybe(STATUS),
    "type": CHAT_TYPE, "avatar_url": url, "members": [MEMBER],
    "unread_messages": integer, "last_seq": integer, "has_more": boolean,
}

CONTACT_INFO = {
    "owner_user_id": identifier, "nickname": Maybe(text), "added_at": time,
}

# In a list of people: found ones, contacts.
PERSON = {
    "id": identifier, "username": text, "name": text, "avatar_url": url,
    "last_seen_at": Maybe(time), "contact_info": Maybe(CONTACT_INFO),
}

CONTACT = dict(PERSON, contact_info=CONTACT_INFO)

# The contract's own words.
NAME_RULES = ("can't be blank", "should be at most 50 character(s)")
USERNAME_RULES = (
    "can't be blank", "should be at least 3 character(s)",
    "should be at most 30 character(s)",
    "can only contain letters, numbers, and underscores",
    "has already been taken")


class Result:
    """A result: `data` on success by its rule, on failure with one of the
    reasons."""

    def __init__(self, success, *reasons):
        self.success = success
        self.reasons = reasons

    def check(self, frame):
        if frame["status"] == "success":
            check(frame["data"], self.success, f"{frame['type']}.data")
        elif set(frame["data"]) != {"reason"} or \
                frame["data"]["reason"] not in self.reasons:
            raise Wrong(f"{frame['type']} fails with {frame['data']!r}")


class GroupResult:
    """A result of a group: its keys stand at the top."""

    def __init__(self, key, reason):
        self.rules = {
            "success": {"chat_id": identifier, key: text,
                        "changer_user_id": identifier},
            "failure": {"chat_id": identifier, "reason": one_of(
                "not_found", "unauthorized",
                *({reason: rule} for rule in NAME_RULES))}}

    def check(self, frame):
        rule = self.rules.get(frame["status"])
        if rule is None:
            raise Wrong(f"{frame['type']} has status {frame['status']!r}")
        check_object(frame, dict(rule, type=text, status=text,
                                 request_id=Optional(text)), frame["type"])


GROUP_RESULTS = {
    "group_name_change_result": GroupResult("new_name", "name"),
    "group_description_change_result":
        GroupResult("new_description", "description"),
}

RESULTS = {
    "contact_addition": Result(
        {"contact": CONTACT, "contact_info": CONTACT_INFO},
        {"user_id": "has already been taken"}, {"user_id": "does not exist"},
        {"contact_id": "can't be blank"}, {"contact_id": "does not exist"},
        {"contact_id": "can't be yourself"}),
    "contact_deletion": Result({"user_id": identifier}, "not_found"),
    "nickname_change_result": Result(
        {"contact_id": identifier, "new_name": text, "new_nickname": text},
        "not_found", *({"name": rule} for rule in NAME_RULES)),
    "username_change_result": Result(
        {"new_username": text},
        "not_found", *({"username": rule} for rule in USERNAME_RULES)),
    "name_change_result": Result(
        {"new_name": text},
        "not_found", *({"name": rule} for rule in NAME_RULES)),
}

RESULT = {"status": one_of("success", "failure"),
          "data": lambda value: isinstance(value, dict)}

EVENTS = {
    "user_info": {
        "user": {
            "id": identifier, "username": text, "name": text, "email": text,
            "avatar_url": url, "last_seen_at": Maybe(time),
        },
        "last_chats": [CHAT_ITEM],
    },
    "chat_info": {"chat": CHAT},
    "chat_forbidden": {
        "chat_id": identifier, "front_msg_id": Optional(Maybe(identifier)),
    },
    "new_message": {
        "message": dict(MESSAGE, front_msg_id=Maybe(identifier),
                        updated_at=Maybe(time)),
        "catch_up": Optional(true),
    },
    "messages_delivered": {"message_ids": [identifier]},
    "chat_read": {"chat_id": identifier, "reader_user_id": identifier},
    "unread_changed": {"chat_id": identifier, "unread_messages": integer},
    "person_info": {
        "person_info": Maybe({
            "id": identifier, "username": text, "name": text,
            "avatar_url": url, "status": STATUS, "last_seen_at": Maybe(time),
            "private_chat_id": Maybe(identifier),
            "contact_info": Maybe(CONTACT_INFO),
        }),
    },
    "search_people_results": {"search_people_results": [PERSON]},
    "contacts": {"contacts": [CONTACT]},
    **{kind: RESULT for kind in RESULTS},
    "private_chat_created": {"chat": Maybe(CHAT), "chat_item": CHAT_ITEM},
    "group_chat_created": {"chat": Maybe(CHAT), "chat_item": CHAT_ITEM},
    "chat_added": {"chat_item": CHAT_ITEM},
    "chat_members_added": {
        "chat_id": identifier, "members": [MEMBER],
        "added_user_ids": [identifier],
    },
    "chat_member_removed": {"chat_id": identifier, "user_id": identifier},
    "admin_given_to_member": {
        "chat_id": identifier, "member": MEMBER, "giving_user_id": identifier,
    },
    "group_avatar_updated": {"chat_id": identifier, "avatar_url": url},
    "user_status_changed": {
        "user_id": identifier, "is_online": boolean,
        "last_seen_at": Maybe(time),
    },
    "chat_messages": {
        "chat_id": identifier, "messages": [MESSAGE], "has_more": boolean,
    },
    "sync_done": {"chats": integer},
    "typing": {
        "chat_id": identifier, "user_id": identifier, "is_typing": boolean,
    },
    "error": {
        "request": Maybe(text), "reason": one_of(*REASONS),
        "field": Maybe(text), "chat_id": Maybe(identifier),
        "front_msg_id": Maybe(identifier),
        "retry_after_ms": Optional(integer),
    },
}


def check_frame(frame):
    """Raises Wrong unless `frame` is an event of the contract, entire."""
    if not isinstance(frame, dict) or not text(frame.get("type")):
        raise Wrong(f"a frame without a type: {frame!r}")
    kind = frame["type"]
    if kind in GROUP_RESULTS:
        GROUP_RESULTS[kind].check(frame)
        return
    if kind not in EVENTS:
        raise Wrong(f"an event of unknown type {kind!r}")
    rule = dict(EVENTS[kind], type=text, request_id=Optional(text))
    check_object(frame, rule, kind)
    if kind in RESULTS:
        RESULTS[kind].check(frame)
    if kind in ("chat_info", "private_chat_created", "group_chat_created") \
            and frame["chat"]:
        check_chat(frame["chat"], kind)


def check_chat(chat, where):
    if (chat["type"] == "group") != ("description" in chat):
        raise Wrong(f"{where}: description stands in groups, and only there")
    seqs = [m["seq"] for m in chat["messages"]]
    if seqs != list(range(chat["last_seq"] - len(seqs) + 1,
                          chat["last_seq"] + 1)):
        raise Wrong(f"{where}: seqs {seqs} do not end at {chat['last_seq']}")
    if chat["has_more"] != (bool(seqs) and seqs[0] > 1):
        raise Wrong(f"{where}: has_more is {chat['has_more']} before seq "
                    f"{seqs[0] if seqs else None}")
