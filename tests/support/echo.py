"""The gateway as an echo server: it answers what it does not know with an error
that carries the request's `request_id`, and so shows what it has read.

SPDX-License-Identifier: MIT
"""

import itertools
import json

from .rawws import frame

_numbers = itertools.count(1)


def echo_text(mark=None, pad=0):
    """(text, mark) of a request; `pad` makes the text that many bytes long."""
    mark = mark or f"echo-{next(_numbers)}"
    text = json.dumps({"type": "echo", "request_id": mark, "pad": ""},
                      ensure_ascii=False)
    short = pad - len(text.encode())
    assert short >= 0 or not pad, "a text cannot be shortened"
    return text.replace('"pad": ""', '"pad": "' + "p" * short + '"'), mark


def echoed(ws, mark):
    """Until the answer to `mark` has come."""
    answer = ws.json(lambda event: event.get("request_id") == mark)
    assert (answer["type"], answer["reason"]) == ("error", "unknown_type")


def still_talks(ws):
    """The connection is in good order, and all sent before was handled."""
    text, mark = echo_text()
    ws.send(frame(text))
    echoed(ws, mark)
