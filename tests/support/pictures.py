"""Small files of the kinds that people send, made on the spot.

SPDX-License-Identifier: MIT
"""

import math
import random
import struct
import wave
import zlib


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + \
        struct.pack(">I", zlib.crc32(body))


def _write(path, width, height, pixel, level=9):
    """pixel(x, y), each from 0 to 1, gives red, green and blue."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows.extend(min(255, max(0, int(part)))
                        for part in pixel(x / width, y / height))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" +
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(bytes(rows), level))
        + _chunk(b"IEND", b""))
    return path


def png(path, width, height, colour):
    """A soft light over a colour."""
    def pixel(x, y):
        light = 1 - 0.6 * math.hypot(x - 0.7, y - 0.25)
        return [part * light for part in colour]
    return _write(path, width, height, pixel)


def noise(path, width, height):
    """A picture that nothing makes smaller."""
    chance = random.Random(1)
    return _write(path, width, height,
                  lambda x, y: [chance.randrange(256) for _ in range(3)], 1)


def lake(path, width, height):
    """Hills, the sun, and both in the water."""
    def hills(x):
        return 0.42 - 0.10 * math.sin(3.1 * x + 0.4) - \
            0.04 * math.sin(11 * x) - 0.015 * math.sin(29 * x + 1)

    def pixel(x, y):
        shore = 0.56
        mirror = 2 * shore - y if y > shore else y
        if y > shore:
            x = x + 0.006 * math.sin(190 * y)
        far = max(0.0, 1 - math.hypot((x - 0.68) * 1.33, mirror - 0.2) * 1.7)
        if math.hypot((x - 0.68) * 1.33, mirror - 0.2) < 0.055:
            colour = (255, 243, 205)
        elif mirror > hills(x):
            colour = (38 + 30 * x, 84 + 20 * x, 86)
        elif mirror > hills(x * 0.7 + 0.9) - 0.06:
            colour = (96, 128, 140)
        else:
            colour = (148 + 100 * far, 178 + 46 * far, 205 - 20 * far)
        return [part * 0.78 for part in colour] if y > shore else colour
    return _write(path, width, height, pixel)


def squeezed(data):
    """The same picture in fewer bytes: a browser's PNGs are made in haste."""
    chunks, at = [], 8
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        chunks.append((data[at + 4:at + 8], data[at + 8:at + 8 + size]))
        at += size + 12
    pixels = zlib.decompress(b"".join(d for kind, d in chunks
                                      if kind == b"IDAT"))
    best = min((zlib.compress(pixels, 9), _strategy(pixels)), key=len)
    return data[:8] + _chunk(*chunks[0]) + _chunk(b"IDAT", best) + \
        _chunk(b"IEND", b"")


def _strategy(pixels):
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    return packer.compress(pixels) + packer.flush()


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
