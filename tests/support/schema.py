"""JSON Schema, compiled: as much of it as docs/*.yaml use.

A schema becomes a function once, so that holding every frame of a heavy test
against it costs little. A keyword that is not known here is refused, never
passed over; tests/system/test_contract_docs.py holds this file's judgement
against that of python3-jsonschema.

SPDX-License-Identifier: MIT
"""

import re


class Wrong(Exception):
    """A value that breaks the rule; the text says where and how."""


# What tells readers something and demands nothing. `format` stands only beside
# a pattern.
SILENT = {"description", "title", "format", "example", "examples", "x-ignored",
          "x-soft", "contentMediaType"}

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "null": lambda v: v is None,
}


def same(one, other):
    """Equal as JSON: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def short(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


class Document:
    """The schemas of one document, compiled when first asked for."""

    def __init__(self, content):
        self.content = content
        self.compiled = {}

    def at(self, pointer):
        """What a reference of the document points to."""
        value = self.content
        for part in pointer.lstrip("#/").split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            value = value[part]
        return value

    def check(self, value, pointer, where):
        """Raises Wrong unless `value` keeps the schema at `pointer`."""
        self.rule(pointer)(value, where)

    def rule(self, pointer):
        if pointer not in self.compiled:
            self.compiled[pointer] = self.compile(self.at(pointer))
        return self.compiled[pointer]

    def compile(self, schema):
        if "$ref" in schema:
            assert set(schema) <= {"$ref"} | SILENT, schema
            return self.rule(schema["$ref"])
        rules = []
        for keyword, demand in schema.items():
            if keyword in SILENT or keyword == "additionalProperties":
                continue
            make = getattr(self, "make_" + keyword, None)
            if make is None:
                raise ValueError(f"schema keyword {keyword!r} is not known")
            rules.append(make(demand, schema))
        if len(rules) == 1:
            return rules[0]

        def check(value, where):
            for rule in rules:
                rule(value, where)
        return check

    # ---- keywords ----------------------------------------------------------

    def make_type(self, names, schema):
        names = names if isinstance(names, list) else [names]
        tests = [TYPES[name] for name in names]

        def check(value, where):
            if not any(test(value) for test in tests):
                raise Wrong(f"{where} is no {' or '.join(names)}: "
                            f"{short(value)}")
        return check

    def make_enum(self, values, schema):
        def check(value, where):
            if not any(same(value, v) for v in values):
                raise Wrong(f"{where} is none of {values}: {short(value)}")
        return check

    def make_const(self, only, schema):
        return self.make_enum([only], schema)

    def make_pattern(self, pattern, schema):
        # JSON Schema's $ is the very end, Python's may stand before "\n".
        search = re.compile(re.sub(r"\$$", r"\\Z", pattern)).search

        def check(value, where):
            if isinstance(value, str) and not search(value):
                raise Wrong(f"{where} does not match {pattern}: "
                            f"{short(value)}")
        return check

    def bound(kind, words, holds):  # noqa: N805: makes methods
        def make(self, limit, schema):
            def check(value, where):
                if isinstance(value, kind) and not isinstance(value, bool) \
                        and not holds(value, limit):
                    raise Wrong(f"{where} {words} {limit}: {short(value)}")
            return check
        return make

    make_minimum = bound(int, "is under", lambda v, n: v >= n)
    make_maximum = bound(int, "is over", lambda v, n: v <= n)
    make_minLength = bound(str, "is shorter than", lambda v, n: len(v) >= n)
    make_maxLength = bound(str, "is longer than", lambda v, n: len(v) <= n)
    make_minItems = bound(list, "has less than", lambda v, n: len(v) >= n)
    make_maxItems = bound(list, "has more than", lambda v, n: len(v) <= n)
    del bound

    def make_items(self, schema, _):
        rule = self.compile(schema)

        def check(value, where):
            if isinstance(value, list):
                for number, item in enumerate(value):
                    rule(item, f"{where}[{number}]")
        return check

    def make_required(self, keys, schema):
        def check(value, where):
            if isinstance(value, dict):
                for key in keys:
                    if key not in value:
                        raise Wrong(f"{where}.{key} is missing")
        return check

    def make_properties(self, properties, schema):
        rules = {key: self.compile(s) for key, s in properties.items()}
        more = schema.get("additionalProperties", True)
        others = None if isinstance(more, bool) else self.compile(more)

        def check(value, where):
            if not isinstance(value, dict):
                return
            for key, inner in value.items():
                rule = rules.get(key, others)
                if rule is not None:
                    rule(inner, f"{where}.{key}")
                elif not more:
                    raise Wrong(f"{where}.{key} is not in the contract")
        return check

    def make_oneOf(self, schemas, schema):
        rules = [self.compile(s) for s in schemas]

        def check(value, where):
            faults = []
            for rule in rules:
                try:
                    rule(value, where)
                except Wrong as error:
                    faults.append(str(error))
            if len(rules) - len(faults) != 1:
                raise Wrong("; and ".join(faults) or
                            f"{where} is more than one of its kinds")
        return check
