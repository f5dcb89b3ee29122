"""Makes tests/golden/formats: small WebP, GIF and BMP pictures and what Pillow and transformers make
of them, flattened to RGB and as stored.

    python tools/oracle/formats.py tests/golden

Needs what pictures.py needs. Deterministic: the pictures are kept when they exist (another libwebp
would encode other bytes), the answers are always made anew.
"""
import io
import json
import os
import struct
import sys

import torchvision_cpu  # noqa: F401  (before transformers)
import numpy as np
import PIL
import transformers
from PIL import Image, ImageOps, features
from transformers.image_transforms import convert_to_rgb

from pictures import content, exif, fnv_array, splitmix, xmp


def image(w, h, seed, mode="RGB", noise=24):
    bands = {"RGB": 3, "RGBA": 4, "L": 1, "LA": 2}[mode]
    return Image.frombytes(mode, (w, h), content(w, h, seed, bands, noise).tobytes())


def saved(picture, form, **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


# ---- WebP by hand


def riff(name, data):
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)


def three(v):
    return struct.pack("<I", v)[:3]


def bitstream(webp):
    """The chunks of a still picture that hold pixels."""
    at, out = 12, b""
    while at < len(webp):
        n = struct.unpack("<I", webp[at + 4:at + 8])[0]
        end = at + 8 + n + (n & 1)
        if webp[at:at + 4] in (b"VP8 ", b"VP8L", b"ALPH"):
            out += webp[at:end]
        at = end
    return out


def extended(flags, w, h, *chunks):
    body = riff(b"VP8X", bytes([flags, 0, 0, 0]) + three(w - 1) + three(h - 1)) + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def frame(webp, x, y, w, h, how):
    return riff(b"ANMF", three(x // 2) + three(y // 2) + three(w - 1) + three(h - 1) + three(100) + bytes([how]) +
                bitstream(webp))


ANIM = riff(b"ANIM", bytes([10, 200, 30, 255, 0, 0]))
ALPHA, EXIF, XMP, ANIMATED = 16, 8, 4, 2


def webps(add):
    for i, (w, h) in enumerate([(1, 1), (33, 17), (64, 48), (2, 50), (40, 2)]):
        add(f"lossy-{w}x{h}.webp", saved(image(w, h, 200 + i), "WEBP", quality=70))
    add("lossy-q1.webp", saved(image(90, 70, 210), "WEBP", quality=1))
    add("lossy-q100.webp", saved(image(31, 29, 211), "WEBP", quality=100))
    add("lossless.webp", saved(image(41, 33, 212, noise=6), "WEBP", lossless=True))
    few = Image.fromarray((content(50, 40, 213, 3, 0) // 64 * 64).astype(np.uint8))
    add("lossless-few-colours.webp", saved(few, "WEBP", lossless=True))
    add("lossless-alpha.webp", saved(image(37, 23, 214, "RGBA"), "WEBP", lossless=True, exact=True))
    add("lossy-alpha.webp", saved(image(37, 23, 215, "RGBA"), "WEBP", quality=60))
    add("lossy-alpha-q20.webp", saved(image(37, 23, 216, "RGBA"), "WEBP", quality=60, alpha_quality=20))
    alpha = content(256, 8, 217, 4)
    alpha[..., 3] = np.arange(256)
    add("every-alpha.webp", saved(Image.fromarray(alpha), "WEBP", lossless=True, exact=True))
    add("grey.webp", saved(image(30, 20, 218, "L"), "WEBP", quality=80))
    w, h = 21, 13
    base, clear = saved(image(w, h, 220), "WEBP", quality=60), saved(image(w, h, 221, "RGBA"), "WEBP", quality=60)
    for o in range(1, 9):
        add(f"exif-{o}.webp", extended(EXIF, w, h, bitstream(base), riff(b"EXIF", exif(o, big=o % 2 == 0))))
    add("exif-6-alpha.webp", extended(EXIF | ALPHA, w, h, bitstream(clear), riff(b"EXIF", exif(6))))
    add("exif-prefix.webp", extended(EXIF, w, h, bitstream(base), riff(b"EXIF", b"Exif\0\0" + exif(8))))
    add("exif-two.webp", extended(EXIF, w, h, bitstream(base), riff(b"EXIF", exif(3)), riff(b"EXIF", exif(6))))
    add("exif-empty-then-xmp.webp", extended(EXIF | XMP, w, h, bitstream(base), riff(b"EXIF", b""),
                                             riff(b"XMP ", xmp(7))))
    add("exif-over-xmp.webp", extended(EXIF | XMP, w, h, bitstream(base), riff(b"EXIF", exif(3)),
                                       riff(b"XMP ", xmp(6))))
    add("exif-unannounced.webp", extended(0, w, h, bitstream(base), riff(b"EXIF", exif(6))))
    add("xmp.webp", extended(XMP, w, h, bitstream(base), riff(b"XMP ", xmp(5, "element"))))
    add("colour-profile.webp", extended(32, w, h, riff(b"ICCP", bytes(200)), bitstream(base)))
    add("alpha-unannounced.webp", extended(0, w, h, bitstream(clear)))
    add("junk-after.webp", base + b"RIFFjunk")
    add("unknown-chunk.webp", extended(0, w, h, riff(b"JUNK", b"abc"), bitstream(base)))
    frames = [image(40, 30, 230 + i, "RGBA") for i in range(3)]
    add("animation.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50, quality=50))
    for name, flags, still in [("opaque", 0, base), ("alpha", ALPHA, clear), ("alpha-opaque-frame", ALPHA, base),
                               ("opaque-alpha-frame", 0, clear)]:
        add(f"animation-offset-{name}.webp", extended(ANIMATED | flags, w + 9, h + 8, ANIM,
                                                      frame(still, 4, 6, w, h, 0), frame(base, 0, 0, w, h, 1)))
    add("animation-offset-turned.webp", extended(ANIMATED | ALPHA | EXIF, w + 9, h + 20, ANIM,
                                                 frame(clear, 4, 6, w, h, 0), riff(b"EXIF", exif(7))))
    cut = lambda data, n: data[:4] + struct.pack("<I", len(data) - n - 8) + data[8:len(data) - n]  # noqa: E731
    add("refused-cut.webp", base[:-1], status="truncated")
    add("refused-riff-shorter.webp", cut(base, 8), status="corrupt")
    add("refused-chunk.webp", base[:12] + b"VP9 " + base[16:], status="corrupt")
    add("refused-frame-size.webp", extended(0, w + 1, h, bitstream(base)), status="corrupt")
    add("refused-no-frame.webp", extended(ANIMATED, w, h, ANIM), status="corrupt")
    add("refused-data.webp", extended(0, w, h, bitstream(base)[:40] + bytes(len(bitstream(base)) - 40)), status=None)


# ---- GIF by hand


def lzw(indices, bits, every=None, end=True):
    """`every`: a clear code after that many codes."""
    clear, out, pool, held = 1 << bits, bytearray(), 0, 0
    width, following, table = bits + 1, (1 << bits) + 2, {}

    def put(code):
        nonlocal pool, held
        pool |= code << held
        held += width
        while held >= 8:
            out.append(pool & 255)
            pool >>= 8
            held -= 8

    put(clear)
    current, count = None, 0
    for v in indices:
        if current is None:
            current = v
            continue
        if (current, v) in table:
            current = table[current, v]
            continue
        put(current)
        count += 1
        if following < 4096:
            table[current, v] = following
            if following == 1 << width and width < 12:
                width += 1
            following += 1
        current = v
        if every and count % every == 0:
            put(current)
            current = None
            if following == 1 << width and width < 12:
                width += 1
            put(clear)
            width, following, table = bits + 1, clear + 2, {}
    if current is not None:
        put(current)
    if following == 1 << width and width < 12:
        width += 1
    if end:
        put(clear + 1)
    if held:
        out.append(pool & 255)
    return bytes(out)


def parts(data, size=255):
    return b"".join(bytes([len(data[i:i + size])]) + data[i:i + size] for i in range(0, len(data), size)) + b"\0"


RAMP = bytes(v for i in range(256) for v in (i, i, i))
COLOURS = content(16, 16, 300).tobytes()


def control(index, clears=True, how=0):
    return b"!\xf9\4" + bytes([how << 2 | clears, 0, 0, index]) + b"\0"


def gif(indices, colours=COLOURS, local=None, before=b"", screen=None, at=(0, 0), bits=8, interlaced=False, data=None,
        tail=b";", size=255, background=0):
    h, w = indices.shape
    screen = screen or (w + at[0], h + at[1])
    flags = lambda c: 0 if c is None else 0x80 | (len(c) // 3).bit_length() - 2  # noqa: E731
    order = list(range(h))
    if interlaced:
        order = [y for start, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(start, h, step)]
    packed = lzw([int(v) for v in indices[order].reshape(-1)], bits) if data is None else data
    return (b"GIF89a" + struct.pack("<HHBBB", *screen, flags(colours), background, 0) + (colours or b"") + before + b"," +
            struct.pack("<HHHHB", *at, w, h, flags(local) | (64 if interlaced else 0)) + (local or b"") + bytes([bits]) +
            parts(packed, size) + tail)


def gifs(add):
    a = content(45, 31, 301, 1)[..., 0]
    small = a[:9, :13]
    add("palette.gif", gif(a))
    add("interlaced.gif", gif(a, interlaced=True))
    for h in range(1, 6):
        add(f"interlaced-{h}.gif", gif(a[:h, :7], interlaced=True))
    for bits in (2, 3, 4, 7):
        add(f"bits-{bits}.gif", gif(a >> (8 - bits), COLOURS[:3 << bits], bits=bits))
    add("bits-more-than-palette.gif", gif(a >> 6, COLOURS[:12], bits=8))
    add("bits-11.gif", gif(a, bits=11))
    add("grey-ramp.gif", gif(a, RAMP))
    add("grey-ramp-short.gif", gif(a >> 4, RAMP[:48]))
    add("grey-reversed.gif", gif(a, RAMP[::-1]))
    add("no-palette.gif", gif(a, None))
    add("palette-short.gif", gif(a >> 3, COLOURS[:12]))
    add("local-palette.gif", gif(a, None, COLOURS[::-1]))
    add("local-over-global.gif", gif(a, COLOURS, COLOURS[::-1]))
    add("local-over-ramp.gif", gif(a, RAMP, COLOURS))
    add("local-ramp-over-ramp.gif", gif(a, RAMP[:96], RAMP))
    add("local-ramp.gif", gif(a, COLOURS, RAMP), reason="local-greys", layout="rgb", exact=np.repeat(a[..., None], 3, -1))
    key = int(a[12, 20])
    add("clear.gif", gif(a, before=control(key)))
    add("clear-grey.gif", gif(a, None, before=control(key)))
    add("clear-outside-palette.gif", gif(a >> 3, COLOURS[:12], before=control(20)))
    add("clear-off.gif", gif(a, before=control(key, False)))
    add("clear-then-off.gif", gif(a, before=control(key) + control(0, False)))
    add("clear-twice.gif", gif(a, before=control(key) + control(3)))
    for how in range(4):
        add(f"offset-dispose-{how}.gif", gif(small, screen=(20, 15), at=(3, 4), before=control(5, False, how), background=7))
        add(f"offset-clear-dispose-{how}.gif", gif(small, screen=(20, 15), at=(3, 4), before=control(5, True, how),
                                                   background=7))
    add("offset.gif", gif(small, screen=(20, 15), at=(3, 4), background=7))
    add("offset-grey.gif", gif(small, None, screen=(20, 15), at=(3, 4), background=7))
    add("offset-grey-clear.gif", gif(small, None, screen=(20, 15), at=(3, 4), before=control(9)))
    add("offset-interlaced.gif", gif(small, screen=(20, 15), at=(3, 4), interlaced=True))
    add("screen-smaller.gif", gif(small, screen=(5, 4), at=(2, 1)))
    add("screen-empty.gif", gif(small, screen=(0, 0)))
    add("table-full.gif", gif(splitmix(302, 90 * 80).reshape(80, 90)))
    flat = np.repeat(a[:, :1], 45, 1)
    add("runs.gif", gif(flat))
    add("clear-codes.gif", gif(a, data=lzw([int(v) for v in a.reshape(-1)], 8, every=40)))
    add("no-end-code.gif", gif(a, data=lzw([int(v) for v in a.reshape(-1)], 8, end=False)))
    add("more-pixels.gif", gif(small, data=lzw([int(v) for v in a.reshape(-1)], 8)))
    add("parts-of-one.gif", gif(small, size=1))
    add("no-trailer.gif", gif(small, tail=b""))
    add("no-terminator.gif", gif(small, tail=b"")[:-1])
    add("junk-after.gif", gif(small, tail=b"\1\2\3;junk"))
    add("gif87a.gif", b"GIF87a" + gif(small)[6:])
    words = b"!\xfe\3abc\2de\0" + b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0" + b"!\xff\x0bXMP DataXMP" + parts(xmp(6)) + \
        b"!\1\x0c" + bytes(12) + b"\3abc\0"
    add("extensions.gif", gif(small, before=words))
    add("extension-empty.gif", gif(small, before=b"!\xfe\0!\x01\0\0!\xf9\0\3abc\0"))
    add("loop-without-count.gif", gif(small, before=b"!\xff\x0bNETSCAPE2.0\0\0"))
    add("junk-between.gif", gif(small, before=b"\0\0junk"))
    second = gif(255 - a, COLOURS[::-1])
    add("animation.gif", gif(a, before=control(3, False), tail=second[second.index(b",", 13 + 768):]))
    frames = [image(30, 20, 310 + i) for i in range(3)]
    add("animation-pillow.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50))
    add("pillow-interlaced.gif", saved(image(40, 30, 320), "GIF", interlace=1))
    early = lzw([int(v) for v in small.reshape(-1)[:-1]], 8)
    add("refused-pixel-short.gif", gif(small, data=early), status="truncated")
    add("refused-cut.gif", gif(small, tail=b"")[:-2], status="truncated")
    add("refused-code-beyond.gif", gif(small, data=lzw([1, 2], 8, end=False)[:2] + b"\xff\xff\xff"), status="corrupt")
    add("refused-first-code.gif", gif(small, data=b"\0\x07\xfe\xff"), status="corrupt")
    add("refused-empty.gif", gif(small)[:13 + 768] + b";", status="corrupt")
    add("refused-no-image.gif", gif(small)[:13 + 768] + control(2) + b";", status="corrupt")
    add("refused-no-columns.gif", gif(a[:5, :0], screen=(7, 7), data=b"\0\1"), status="corrupt")
    add("refused-bits-13.gif", gif(small, bits=13, data=b"\0\1\2\3"), status="corrupt")
    add("refused-control-short.gif", gif(small, before=b"!\xf9\2\0\0\0"), status="corrupt")


# ---- BMP by hand


def bmp(w, h, bits, data, colours=b"", compression=0, count=0, header=40, masks=None, down=False, offset=None, gap=b"",
        more=b""):
    if header == 12:
        head = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, w, -h if down else h, 1, bits, compression, len(data), 2835, 2835, count, 0)
        if masks and header >= 52:
            head += struct.pack("<4I", *masks)
        elif masks:
            head += struct.pack("<3I", *masks[:3])
        head = head[:header].ljust(header, b"\0") + head[header:]
    at = 14 + len(head) + len(colours) + len(gap) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(colours) + len(gap) + len(data), 0, 0, at) + head + \
        colours + gap + data + more


def rows(indices, bits):
    out = b""
    for row in indices:
        line = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits:].reshape(-1)
        line = np.packbits(line).tobytes()
        out += line + bytes(-len(line) % 4)
    return out


def quads(colours, entry=4):
    return b"".join(colours[i:i + 3][::-1] + bytes([i & 255])[:entry - 3] for i in range(0, len(colours), 3))


def bmps(add):
    a = content(29, 17, 400, 1)[..., 0]
    rgb = content(29, 17, 401)
    for bits in (1, 4, 8):
        n = 1 << bits
        colours = COLOURS[90:][:3 * n] if bits < 8 else COLOURS
        i = a >> (8 - bits)
        add(f"palette{bits}.bmp", bmp(29, 17, bits, rows(i, bits), quads(colours)))
        add(f"palette{bits}-down.bmp", bmp(29, 17, bits, rows(i, bits), quads(colours), down=True))
        add(f"palette{bits}-os2.bmp", bmp(29, 17, bits, rows(i, bits), quads(colours, 3), header=12))
    i = a >> 4
    add("palette8-few.bmp", bmp(29, 17, 8, rows(a, 8), quads(COLOURS[:60]), count=20))
    add("palette4-few.bmp", bmp(29, 17, 4, rows(i, 4), quads(COLOURS[:15]), count=5))
    add("palette8-greys.bmp", bmp(29, 17, 8, rows(a, 8), quads(RAMP)))
    add("palette8-greys-few.bmp", bmp(29, 17, 8, rows(a, 8), quads(RAMP[:48]), count=16))
    add("palette8-greys-backwards.bmp", bmp(29, 17, 8, rows(a, 8), quads(RAMP[::-1])))
    add("palette4-greys.bmp", bmp(29, 17, 4, rows(i, 4), quads(bytes(v * 17 for v in RAMP[:48]))))
    black, white = b"\0\0\0", b"\xff\xff\xff"
    one = a >> 7
    add("black-white.bmp", bmp(29, 17, 1, rows(one, 1), quads(black + white)))
    add("white-black.bmp", bmp(29, 17, 1, rows(one, 1), quads(white + black)))
    add("black.bmp", bmp(29, 17, 1, rows(one, 1), quads(black), count=1))
    add("black-white-os2.bmp", bmp(29, 17, 1, rows(one, 1), quads(black + white, 3), header=12))
    wide = lambda v: np.repeat(v[..., None].astype(np.uint8), 3, -1)  # noqa: E731
    for name, bits, samples, colours, layout, exact in [
            ("palette8-black-white", 8, one, black + white, "nearest", wide(one * 255)),
            ("palette4-black-white", 4, one, black + white, "nearest", wide(one * 255)),
            ("palette4-ramp", 4, i, RAMP[:48], "rgb", wide(i)),
            ("palette1-ramp", 1, one, RAMP[:12], "rgb", wide(one))]:
        add(name + ".bmp", bmp(29, 17, bits, rows(samples, bits), quads(colours), count=len(colours) // 3, down=True),
            reason="palette-bits", layout=layout, exact=exact)
    sixteen = np.frombuffer(splitmix(402, 29 * 17 * 2).tobytes(), "<u2").reshape(17, 29)
    rows16 = b"".join(r.tobytes() + bytes(2) for r in sixteen)
    add("bits16.bmp", bmp(29, 17, 16, rows16))
    add("bits16-565.bmp", bmp(29, 17, 16, rows16, compression=3, masks=(0xF800, 0x7E0, 0x1F, 0)))
    add("bits16-555.bmp", bmp(29, 17, 16, rows16, compression=3, masks=(0x7C00, 0x3E0, 0x1F, 0)))
    add("bits16-565-v4.bmp", bmp(29, 17, 16, rows16, compression=3, masks=(0xF800, 0x7E0, 0x1F, 0), header=108, down=True))
    rows24 = b"".join(r.tobytes() + b"\0" for r in rgb)
    add("bits24.bmp", bmp(29, 17, 24, rows24))
    add("bits24-down.bmp", bmp(29, 17, 24, rows24, down=True))
    add("bits24-os2.bmp", bmp(29, 17, 24, rows24, header=12))
    add("bits24-os2-2.bmp", bmp(29, 17, 24, rows24, header=64))
    add("bits24-v5.bmp", bmp(29, 17, 24, rows24, header=124))
    add("bits24-masks.bmp", bmp(29, 17, 24, rows24, compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0)))
    add("bits24-last-padding-missing.bmp", bmp(29, 17, 24, rows24[:-1]))
    add("bits24-gap.bmp", bmp(29, 17, 24, rows24, gap=b"gap"))
    add("bits24-offset-0.bmp", bmp(29, 17, 24, rows24, offset=0))
    add("bits24-junk-after.bmp", bmp(29, 17, 24, rows24, more=b"junk"))
    add("bits24-palette.bmp", bmp(29, 17, 24, rows24, quads(COLOURS[:30]), count=10))
    add("palette8-offset-before.bmp", bmp(29, 17, 8, rows(a, 8), quads(COLOURS), offset=54))
    add("palette8-offset-0.bmp", bmp(29, 17, 8, rows(a, 8), quads(COLOURS), offset=0))
    add("palette8-offset-inside.bmp", bmp(29, 17, 8, rows(a, 8), quads(COLOURS), offset=100))
    data32 = splitmix(403, 13 * 7 * 4).tobytes()
    add("bits32.bmp", bmp(13, 7, 32, data32))
    add("bits32-v5-no-masks.bmp", bmp(13, 7, 32, data32, header=124))
    for masks in [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
                  (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                  (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0)]:
        name = "-".join(f"{m:x}" for m in masks)
        add(f"bits32-{name}.bmp", bmp(13, 7, 32, data32, compression=3, masks=masks, header=56))
    add("bits32-masks-v2.bmp", bmp(13, 7, 32, data32, compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0), header=52))
    add("bits32-masks-v3-40.bmp", bmp(13, 7, 32, data32, compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0)))
    few = quads(COLOURS[:48])

    def stream(odd, *items):
        """Literals are padded to an even place in the file, as Pillow reads them."""
        out = b""
        for item in items:
            out += item
            if item[0] == 0 and len(item) > 2 and item[1] > 2 and (odd + len(out)) % 2:
                out += b"\0"
        return out

    runs = [b"\5\1", b"\4\2", b"\0\0", b"\0\3\1\2\3", b"\2\7", b"\0\4\4\5\6\7", b"\0\0", b"\0\2\2\1",
            b"\3\6", b"\0\0", b"\x14\3", b"\1\1", b"\0\0", b"\0\x0b\0\1\2\3\4\5\6\7\x08\x09\x0a", b"\1\1",
            b"\0\0", b"\x09\5", b"\0\1"]
    runs4 = [b"\5\x12", b"\4\x34", b"\0\0", b"\0\3\x12\x30", b"\2\x75", b"\0\5\x45\x67\x80", b"\0\0", b"\0\2\2\1",
             b"\3\x65", b"\0\0", b"\x14\x31", b"\1\x11", b"\0\0", b"\0\x09\x01\x23\x45\x67\x80", b"\0\0", b"\x09\x5a",
             b"\0\1"]
    for kind, items in ((1, runs), (2, runs4)):
        bits, h = 8 if kind == 1 else 4, 8
        data = stream(0, *items)
        add(f"rle{bits}.bmp", bmp(9, h, bits, data, few, kind, 16))
        add(f"rle{bits}-down.bmp", bmp(9, h, bits, data, few, kind, 16, down=True))
        add(f"rle{bits}-odd-offset.bmp", bmp(9, h, bits, stream(1, *items), few, kind, 16, gap=b"x"))
        add(f"rle{bits}-greys.bmp", bmp(9, h, bits, data, quads(RAMP[:48]), kind, 16))
        add(f"rle{bits}-black-white.bmp", bmp(9, h, bits, data, quads(black + white), kind, 2))
        add(f"rle{bits}-no-end.bmp", bmp(9, h, bits, data[:-2], few, kind, 16))
        add(f"refused-rle{bits}-short.bmp", bmp(9, h, bits, data[:-4] + b"\0\1", few, kind, 16), status="corrupt")
        add(f"refused-rle{bits}-cut.bmp", bmp(9, h, bits, data[:-4], few, kind, 16), status="truncated")
    for mode, name in (("1", "one"), ("L", "grey"), ("RGB", "rgb"), ("RGBA", "rgba")):
        picture = image(23, 11, 410, "L").convert("1") if mode == "1" else image(23, 11, 411, mode)
        add(f"pillow-{name}.bmp", saved(picture, "BMP"))
    add("refused-header.bmp", bmp(29, 17, 24, rows24, header=16), status="unsupported")
    add("refused-bits.bmp", bmp(29, 17, 2, rows24), status="corrupt")
    add("refused-jpeg.bmp", bmp(29, 17, 24, rows24, compression=4), status="unsupported")
    add("refused-masks.bmp", bmp(13, 7, 32, data32, compression=3, masks=(0xFF, 0xFF00, 0xFF0000, 0)),
        status="unsupported")
    add("refused-masks16.bmp", bmp(29, 17, 16, rows16, compression=3, masks=(0xF00, 0xF0, 0xF, 0)),
        status="unsupported")
    add("refused-palette-300.bmp", bmp(9, 7, 8, bytes(84), quads(COLOURS + COLOURS[:132]), count=300), status="corrupt")
    add("refused-rle24.bmp", bmp(9, 7, 24, bytes(84), compression=1), status="unsupported")
    add("refused-no-rows.bmp", bmp(9, 0, 24, bytes(28)), status="corrupt")
    add("refused-no-columns.bmp", bmp(0, 9, 24, bytes(28)), status="corrupt")
    add("refused-cut.bmp", bmp(29, 17, 24, rows24[:-2]), status="truncated")
    add("refused-offset.bmp", bmp(29, 17, 24, rows24, offset=0x7FFFFFFF), status="truncated")


LAYOUTS = {"P": "nearest", "1": "nearest", "RGBA": "rgba", "L": "rgb", "RGB": "rgb"}

# Of these, every beginning is tried.
CUTS = ["exif-6.webp", "animation-offset-alpha.webp", "lossless-few-colours.webp", "extensions.gif", "offset.gif",
        "bits-2.gif", "no-end-code.gif", "palette4-few.bmp", "rle8.bmp", "rle4-odd-offset.bmp", "bits16-565.bmp",
        "bits24-offset-0.bmp"]


def loaded(data):
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    flat = convert_to_rgb(picture, return_numpy=True)
    layout = LAYOUTS[picture.mode]
    stored = np.asarray(picture if layout == "rgba" else picture.convert("RGB"))
    return flat, layout, stored


def main():
    folder = os.path.join(sys.argv[1], "formats")
    os.makedirs(folder, exist_ok=True)
    made = {}

    def add(name, data, **about):
        assert name not in made, name
        made[name] = (data, about)

    webps(add)
    gifs(add)
    bmps(add)
    lines, exceptions, total, refused = [], {}, 0, 0
    for name, (data, about) in made.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(data)
        data = open(path, "rb").read()
        total += len(data)
        try:
            flat, layout, stored = loaded(data)
        except Exception:
            flat = None
        if flat is None and "reason" not in about:
            # Pillow says no; akin's status is this project's to choose.
            assert "status" in about, name
            lines.append({"file": name, "status": about["status"] or "corrupt"})
            refused += 1
            continue
        assert about.get("status") is None, name
        if "reason" in about:
            assert flat is None or not np.array_equal(flat, about["exact"]), name
            exceptions[name] = about["reason"]
            flat = stored = about["exact"]
            layout = about["layout"]
        entry = {"file": name, "width": flat.shape[1], "height": flat.shape[0], "rgb": fnv_array(flat), "layout": layout,
                 "stored": fnv_array(stored)}
        lines.append(entry)
    cuts = {}
    for name in CUTS:
        data = open(os.path.join(folder, name), "rb").read()
        cuts[name] = []
        for n in range(len(data)):
            try:
                flat = loaded(data[:n])[0]
                cuts[name].append([n, fnv_array(flat)])
            except Exception:
                pass
    with open(os.path.join(folder, "formats.json"), "w") as f:
        f.write('{"pictures":[\n' + ",\n".join(json.dumps(e, separators=(",", ":")) for e in lines) +
                '\n],\n"cuts":{\n' + ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}"
                                              for k, v in cuts.items()) + "\n}}\n")
    with open(os.path.join(folder, "manifest.json"), "w") as f:
        json.dump({"script": "tools/oracle/formats.py", "pillow": PIL.__version__, "libwebp": features.version("webp"),
                   "transformers": transformers.__version__, "numpy": np.__version__,
                   "reference": "rgb: image_transforms.convert_to_rgb of ImageOps.exif_transpose(Image.open(file)); "
                                "stored: the same picture before that, converted to RGB unless its mode is RGBA",
                   "pictures": len(lines), "refused": refused, "bytes": total, "hash": "fnv_array of pictures.py",
                   "cuts": "the beginnings of a file, by length, that the reference loads, and rgb of each",
                   "reasons": {
                       "local-greys": "Pillow reads a local palette that is the ramp of greys as no palette and then "
                                      "looks the greys up in the global palette",
                       "palette-bits": "Pillow leaves a palette of greys out and then reads 4 and 8 bits as 1 when there "
                                       "are two, 1 and 4 bits as 8 when there are more, or refuses them"},
                   "expected": "of the exceptions: the samples the file was made of",
                   "exceptions": exceptions}, f, indent=1)
        f.write("\n")
    print(len(lines), "pictures,", refused, "of them refused,", total, "bytes")


if __name__ == "__main__":
    main()
