"""Small files of the kinds that people send, made on the spot.

SPDX-License-Identifier: MIT
"""

import math
import struct
import wave
import zlib


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + \
        struct.pack(">I", zlib.crc32(body))


def png(path, width, height, colour, noise=False):
    """A picture: a soft light over a colour; noise makes it large."""
    seed = 1
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            light = 1 - 0.6 * math.hypot(x / width - 0.7, y / height - 0.25)
            for part in colour:
                value = part * light
                if noise:
                    seed = (seed * 1103515245 + 12345) & 0x7fffffff
                    value = seed >> 16
                rows.append(min(255, max(0, int(value) & 255)))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" +
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 1 if noise else 9))
        + _chunk(b"IEND", b""))
    return path


def wav(path, seconds=1):
    """A tone."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"".join(
            struct.pack("<h", int(8000 * math.sin(i / 3)))
            for i in range(8000 * seconds)))
    return path
