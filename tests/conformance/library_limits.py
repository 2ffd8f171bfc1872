"""Where the WebSocket library falls short of the letter and nothing can be done
around it. Each test marked by one of these must fail: one that passes means that
the limit is gone and the row has to go as well.

SPDX-License-Identifier: MIT
"""

import subprocess

import pytest

# Where upstream decides it: libwebsockets 4.1.6 as Debian has it, and the same in
# 4.3. No issue about any of the three was found in warmcat/libwebsockets.
SOURCE = "warmcat/libwebsockets v4.1.6, lib/roles/ws/ops-ws.c, lws_ws_rx_sm(), "

LIMITS = {
    "unmasked": "a client's frame without a mask is read (RFC 6455, 5.1: close "
                "the connection). What masking guards against, proxies that "
                "take frames for requests, is not weakened for clients that "
                "do mask. " + SOURCE + "state LWS_RXPS_04_FRAME_HDR_LEN",
    "minimal length": "a length in more bytes than needed is read (5.2: "
                      "\"the minimal number of bytes MUST be used\"); the "
                      "length itself counts and is bounded. " + SOURCE +
                      "states LWS_RXPS_04_FRAME_HDR_LEN16_1 and LEN64_1",
    "later codes": "a close frame with 1012, 1013 or 1014, which are of IANA's "
                   "registry and not of the RFC, is answered with 1002; they "
                   "are sent by servers. " + SOURCE + "case LWSWSOPC_CLOSE",
    "method case": "a method in lower case is the same method (RFC 9110, 9.1: "
                   "case-sensitive). warmcat/libwebsockets v4.1.6, "
                   "lib/roles/http/parsers.c, lws_parse(), "
                   "state WSI_TOKEN_NAME_PART",
    "requests at once": "libwebsockets 4.3 ends a connection on which more came "
                        "together with a request, and answers none of it; "
                        "clients ask again (RFC 9112, 9.3.2). 4.1.6 answers. "
                        "Seen with 4.3.5; no issue was found",
}


def _version():
    text = subprocess.run(["pkg-config", "--modversion", "libwebsockets"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(int(part) for part in text.strip().split(".")[:2])


SINCE_4_3 = _version() >= (4, 3)


def library_limit(name, condition=True):
    return pytest.mark.xfail(condition, reason=LIMITS[name], strict=True)
