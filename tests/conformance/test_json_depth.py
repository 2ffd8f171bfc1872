"""The bounds of JSON in a WebSocket's frames: depth, keys, numbers, strings.

SPDX-License-Identifier: MIT
"""

import json

import pytest

from support.echo import still_talks
from support.rawws import frame


def ask(ws, text):
    ws.send(frame(text))
    return ws.json(lambda event: event["type"] in ("error",
                                                   "search_people_results"))


def with_value(value):
    return '{"type":"search_people","input":"","x":' + value + "}"


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [1, 14, 15])
def test_sixteen_deep_is_taken(ws, opening, closing, depth):
    answer = ask(ws, with_value(opening * depth + "1" + closing * depth))
    assert answer["type"] == "search_people_results"


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [16, 17, 31, 32, 33, 64, 1000, 10_000])
def test_deeper_is_invalid_json(ws, opening, closing, depth):
    answer = ask(ws, with_value(opening * depth + "1" + closing * depth))
    assert answer["reason"] == "invalid_json"
    still_talks(ws)


@pytest.mark.parametrize("text", [
    "[" * 65_000, "{" * 65_000, '{"a":' * 13_000, "[{" * 30_000,
    "]" * 100, "[" * 16 + "]" * 17])
def test_brackets_without_end_are_invalid_json(ws, text):
    assert ask(ws, text)["reason"] == "invalid_json"
    still_talks(ws)


@pytest.mark.parametrize("value", [
    "9" * 60_000, "-" + "9" * 400, "1e400", "-1e400", "1e-400",
    "1" + "0" * 400, "1." + "0" * 50_000 + "1", "0.1e+000000000000000001",
    "-0", "-0.0", "123456789012345678901234567890"])
def test_numbers_of_any_size_are_numbers(ws, value):
    assert ask(ws, with_value(value))["type"] == "search_people_results"


@pytest.mark.parametrize("value", [
    '"' + "s" * 65_000 + '"', '"' + "\\u0041" * 10_000 + '"',
    '"' + "\\n" * 30_000 + '"', '"' + "\u2603" * 20_000 + '"',
    "[" + ",".join("1" for _ in range(32_000)) + "]",
    "{" + ",".join(f'"k{i}":{i}' for i in range(5000)) + "}",
    "[" + ",".join("[]" for _ in range(20_000)) + "]"])
def test_much_of_anything_within_a_frame_is_taken(ws, value):
    assert ask(ws, with_value(value))["type"] == "search_people_results"


def test_of_a_key_that_stands_twice_the_last_counts_for_all(ws):
    # Gateway and chatd must read the same one.
    answer = ask(ws, '{"type":"nonsense","type":"search_people","input":"",'
                     '"request_id":"one","request_id":"two"}')
    assert answer["type"] == "search_people_results"
    assert answer["request_id"] == "two"


@pytest.mark.parametrize("key", ["k" * 60_000, "\u2603" * 1000, ""])
def test_keys_of_any_length(ws, key):
    text = json.dumps({"type": "search_people", "input": "", key: 1})
    assert ask(ws, text)["type"] == "search_people_results"
