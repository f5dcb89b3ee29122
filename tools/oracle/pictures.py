"""Makes tests/golden/pictures and tests/golden/resize: small pictures that trip preprocessing, what
Pillow and transformers make of them, and resized rows.

    cc tools/oracle/jpeg_variants.c -ljpeg -o jpeg_variants
    python tools/oracle/pictures.py ./jpeg_variants tests/golden

Needs Pillow 13.0.0, transformers 5.23.0, numpy. Deterministic: the pictures are kept when they exist
(another libjpeg would encode other bytes), the answers are always made anew.
"""
import io
import json
import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import PIL
import torchvision_cpu  # before transformers, which imports torchvision where it is installed
import transformers
from PIL import Image, ImageOps
from transformers.image_transforms import convert_to_rgb
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

warnings.filterwarnings("ignore")


def fnv(data):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def fnv_array(a):
    """FNV-1a over 64-bit little-endian words (the rest padded with zeros), four lanes: word i goes to
    lane i % 4, then the four lanes are hashed as one text of 32 bytes. Quick in numpy and in C."""
    raw = np.ascontiguousarray(a).tobytes()
    raw += bytes(-len(raw) % 32)
    words = np.frombuffer(raw, "<u8").reshape(-1, 4)
    lanes = np.full(4, 0xCBF29CE484222325, np.uint64)
    prime = np.uint64(0x100000001B3)
    for w in words:
        lanes = (lanes ^ w) * prime
    return fnv(lanes.astype("<u8").tobytes())


def splitmix(seed, count):
    """Bytes: the top one of each output of splitmix64."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(56)).astype(np.uint8)


def content(w, h, seed, bands=3, noise=24):
    """Gradients, a disc, a stripe and some noise: nothing in it is symmetric."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    u, v = x / max(w - 1, 1), y / max(h - 1, 1)
    out = []
    for b in range(bands):
        p = 40 + 170 * (u if b % 3 == 0 else v if b % 3 == 1 else (1 - u) * v)
        p = np.where((u - 0.3) ** 2 + (v - 0.6) ** 2 < 0.04, 230 - 70 * b, p)
        p = np.where((x // 4 + b) % 11 == 0, 255 - p, p)
        out.append(p)
    p = np.stack(out, -1)
    if noise:
        p = p + (splitmix(seed, p.size).reshape(p.shape).astype(np.float64) - 128) * noise / 128
    return np.clip(p, 0, 255).astype(np.uint8)


# ---- PNG by hand: every depth, interlacing and chunk


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def rows_of(samples, depth):
    """samples [h, w, c] to packed rows of bytes."""
    h = samples.shape[0]
    flat = samples.reshape(h, -1)
    if depth == 16:
        return [r.astype(">u2").tobytes() for r in flat]
    if depth == 8:
        return [r.astype(np.uint8).tobytes() for r in flat]
    out = []
    for r in flat:
        bits = np.unpackbits(r.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:].reshape(-1)
        out.append(np.packbits(bits).tobytes())
    return out


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def filtered(row, prior, bpp, kind):
    out = bytearray([kind])
    for i, v in enumerate(row):
        a = row[i - bpp] if i >= bpp else 0
        b = prior[i]
        c = prior[i - bpp] if i >= bpp else 0
        if kind == 4:
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            pred = a if pa <= pb and pa <= pc else b if pb <= pc else c
        else:
            pred = (0, a, b, (a + b) // 2)[kind]
        out.append((v - pred) & 255)
    return bytes(out)


def png(samples, depth, kind, before=b"", after=b"", interlaced=False, split=0, end=True):
    h, w, channels = samples.shape
    bpp = max(1, channels * depth // 8)
    passes = [samples[y0::dy, x0::dx] for x0, y0, dx, dy in ADAM7] if interlaced else [samples]
    raw = b""
    for part in passes:
        if part.size == 0:
            continue
        packed = rows_of(part, depth)
        prior = bytes(len(packed[0]))
        for y, row in enumerate(packed):
            raw += filtered(row, prior, bpp, y % 5)
            prior = row
    data = zlib.compress(raw, 9)
    parts = [data[i:i + split] for i in range(0, len(data), split)] if split else [data]
    head = struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + b"".join(chunk(b"IDAT", p) for p in parts)
            + after + (chunk(b"IEND", b"") if end else b""))


def deep(w, h, seed, bands, bits=16):
    """Samples of `bits` bits, all of them used."""
    s = splitmix(seed + 1000, w * h * bands).reshape(h, w, bands).astype(np.uint32)
    v = content(w, h, seed, bands).astype(np.uint32)
    return (v << 8 | s) if bits == 16 else v >> (8 - bits)


# ---- metadata


def exif(value, big=True, kind=3, before=b"", count=1):
    """A TIFF block with entries `before` (12 bytes each) and an orientation."""
    e = ">" if big else "<"
    data = {3: struct.pack(e + "HH", value, 0), 4: struct.pack(e + "I", value), 1: bytes([value, 0, 0, 0]),
            5: struct.pack(e + "I", 8 + 2 + 12 + len(before) + 4)}[kind]
    tail = struct.pack(e + "II", value * 3, 3) if kind == 5 else b""
    return ((b"MM\0*" if big else b"II*\0") + struct.pack(e + "I", 8) +
            struct.pack(e + "H", len(before) // 12 + 1) + before +
            struct.pack(e + "HHI", 0x0112, kind, count) + data + bytes(4) + tail)


def app(n, data):
    return bytes([0xFF, 0xE0 + n]) + struct.pack(">H", len(data) + 2) + data


def insert(jpeg, *segments):
    """After the SOI."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def xmp(value, form="attribute"):
    inner = f' tiff:Orientation="{value}"' if form == "attribute" else ""
    child = f"<tiff:Orientation>{value}</tiff:Orientation>" if form == "element" else ""
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description{inner}>{child}'
            f"</rdf:Description></rdf:RDF></x:xmpmeta>").encode()


XMP_ID = b"http://ns.adobe.com/xap/1.0/\0"


def raw_profile(block):
    data = b"Exif\0\0" + block
    digits = data.hex()
    lines = "\n".join(digits[i:i + 72] for i in range(0, len(digits), 72))
    return f"\nexif\n{len(data):8}\n{lines}\n".encode()


def itxt(key, value, packed=False):
    return chunk(b"iTXt", key + (b"\0\1\0" if packed else b"\0\0\0") + b"\0\0" +
                 (zlib.compress(value) if packed else value))


def pil(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def jpeg(w, h, seed, **options):
    mode = options.pop("mode", "RGB")
    bands = {"RGB": 3, "L": 1, "CMYK": 4}[mode]
    a = content(w, h, seed, bands, options.pop("noise", 24))
    image = Image.frombytes(mode, (w, h), a.tobytes())
    return pil(image, "JPEG", **{"quality": 80, **options})


def pictures(encoder):
    """name -> (bytes, reason when akin differs from the reference on purpose)."""
    made = {}

    def add(name, data, reason=None):
        assert name not in made, name
        made[name] = (data, reason)

    def variant(name, w, h, seed, space, sampling, *options, bands=3, quality=75):
        path = "variant.tmp"
        subprocess.run([encoder, path, str(w), str(h), space, sampling, str(quality), *options], check=True,
                       input=content(w, h, seed, bands).tobytes())
        add(name, open(path, "rb").read())
        os.remove(path)

    # sizes
    for i, (w, h) in enumerate([(1, 1), (1, 7), (9, 1), (2, 3), (1, 300), (224, 224), (225, 227), (229, 225),
                                (227, 224), (223, 224), (100, 60), (37, 211), (299, 150), (320, 240)]):
        add(f"size-{w}x{h}.png", pil(Image.fromarray(content(w, h, 10 + i, noise=0 if w * h > 9000 else 24)), "PNG",
                                     optimize=True))
    for i, (w, h) in enumerate([(540, 1200), (300, 1000), (1000, 300), (160, 321), (160, 320), (16, 16), (33, 17),
                                (640, 480)]):
        add(f"size-{w}x{h}.jpg", jpeg(w, h, 30 + i, quality=60, noise=8))
    # JPEG: sampling, processes, colour spaces
    for i, (name, sampling) in enumerate([("444", "1x1,1x1,1x1"), ("422", "2x1,1x1,1x1"), ("420", "2x2,1x1,1x1"),
                                          ("440", "1x2,1x1,1x1"), ("411", "4x1,1x1,1x1"), ("410", "4x2,1x1,1x1"),
                                          ("chroma-uneven", "2x2,2x1,1x2"), ("441", "1x4,1x1,1x1")]):
        variant(f"jpeg-{name}.jpg", 131, 93, 50 + i, "ycc", sampling)
    variant("jpeg-arithmetic.jpg", 97, 85, 60, "ycc", "2x2,1x1,1x1", "arithmetic")
    variant("jpeg-arithmetic-progressive.jpg", 97, 85, 61, "ycc", "2x1,1x1,1x1", "arithmetic", "progressive")
    variant("jpeg-progressive-420.jpg", 150, 101, 62, "ycc", "2x2,1x1,1x1", "progressive", quality=30)
    variant("jpeg-progressive-440.jpg", 101, 150, 63, "ycc", "1x2,1x1,1x1", "progressive", quality=20)
    variant("jpeg-separate-scans.jpg", 83, 71, 64, "ycc", "2x1,1x1,1x1", "separate")
    variant("jpeg-restart.jpg", 123, 77, 65, "ycc", "2x2,1x1,1x1", "restart=3")
    variant("jpeg-nojfif.jpg", 64, 49, 66, "ycc", "1x1,1x1,1x1", "nojfif")
    variant("jpeg-rgb-adobe.jpg", 64, 49, 67, "rgb", "1x1,1x1,1x1")
    variant("jpeg-rgb-ids.jpg", 64, 49, 68, "rgb", "1x1,1x1,1x1", "noadobe")
    variant("jpeg-ycc-adobe.jpg", 64, 49, 69, "ycc", "2x2,1x1,1x1", "nojfif", "adobe")
    variant("jpeg-cmyk-adobe.jpg", 70, 50, 70, "cmyk", "1x1,1x1,1x1,1x1", bands=4)
    variant("jpeg-cmyk-plain.jpg", 70, 50, 71, "cmyk", "1x1,1x1,1x1,1x1", "noadobe", bands=4)
    variant("jpeg-ycck.jpg", 70, 50, 72, "ycck", "2x2,1x1,1x1,2x2", bands=4)
    variant("jpeg-ycck-progressive.jpg", 70, 50, 73, "ycck", "1x1,1x1,1x1,1x1", "progressive", bands=4)
    variant("jpeg-grey.jpg", 90, 61, 74, "grey", "1x1", bands=1)
    variant("jpeg-grey-2x2.jpg", 90, 61, 75, "grey", "2x2", bands=1)
    variant("jpeg-grey-progressive.jpg", 90, 61, 76, "grey", "1x1", "progressive", bands=1)
    base = jpeg(60, 44, 80)
    add("jpeg-icc.jpg", insert(base, app(2, b"ICC_PROFILE\0\1\1" + bytes(200))))
    add("jpeg-junk-after.jpg", base + b"\0\xff\xd8 junk" * 20)
    at = base.index(b"\xff\xdb")
    add("jpeg-junk-between.jpg", base[:at] + b"\0\0junk" + base[at:])
    add("jpeg-fill-bytes.jpg", base[:at] + b"\xff\xff\xff" + base[at:])
    scan = base.index(b"\xff\xda") + 400
    add("jpeg-flipped-bits.jpg", base[:scan] + bytes(b ^ 1 if b < 0xF0 and b else b for b in base[scan:scan + 6]) +
        base[scan + 6:])
    big = jpeg(200, 160, 81, quality=90)
    add("jpeg-two-pictures.jpg", base + big)
    # orientation in JPEG
    for o in range(1, 9):
        add(f"exif-{o}.jpg", insert(jpeg(61, 43, 90), app(1, b"Exif\0\0" + exif(o, big=o % 2 == 0))))
    odd = jpeg(40, 25, 91)
    add("exif-0.jpg", insert(odd, app(1, b"Exif\0\0" + exif(0))))
    add("exif-9.jpg", insert(odd, app(1, b"Exif\0\0" + exif(9))))
    add("exif-long.jpg", insert(odd, app(1, b"Exif\0\0" + exif(6, kind=4))))
    add("exif-byte.jpg", insert(odd, app(1, b"Exif\0\0" + exif(6, kind=1))))
    add("exif-rational.jpg", insert(odd, app(1, b"Exif\0\0" + exif(6, kind=5))))
    add("exif-twice.jpg", insert(odd, app(1, b"Exif\0\0" + exif(6)[:12]), app(1, b"Exif\0\0" + exif(6)[12:])))
    add("exif-prefix-twice.jpg", insert(odd, app(1, b"Exif\0\0Exif\0\0" + exif(5))))
    add("exif-empty-then-xmp.jpg", insert(odd, app(1, b"Exif\0\0"), app(1, XMP_ID + xmp(7))))
    add("exif-over-xmp.jpg", insert(odd, app(1, b"Exif\0\0" + exif(3)), app(1, XMP_ID + xmp(6))))
    outside = struct.pack(">HHII", 0x010F, 2, 40, 900)
    add("exif-value-outside.jpg", insert(odd, app(1, b"Exif\0\0" + exif(6, before=outside))))
    large = struct.pack(">HHII", 0x010F, 2, 0x7FFFFFFF, 8)
    add("exif-value-larger.jpg", insert(odd, app(1, b"Exif\0\0" + exif(6, before=large))))
    add("exif-header-swapped.jpg", insert(odd, app(1, b"Exif\0\0MM*\0" + exif(8)[4:])))
    add("exif-after-scan.jpg", odd[:-2] + app(1, b"Exif\0\0" + exif(6)) + odd[-2:])
    add("xmp-attribute.jpg", insert(odd, app(1, XMP_ID + xmp(6))))
    add("xmp-element.jpg", insert(odd, app(1, XMP_ID + xmp(8, "element"))))
    add("xmp-two.jpg", insert(odd, app(1, XMP_ID + xmp(6)), app(1, XMP_ID + xmp(3))))
    # PNG: colour types and depths
    for depth in (1, 2, 4, 8):
        a = deep(57, 39, 100 + depth, 1, depth)
        add(f"png-grey{depth}.png", png(a, depth, 0))
        add(f"png-grey{depth}-interlaced.png", png(a, depth, 0, interlaced=True))
    grey16 = deep(57, 39, 105, 1)
    add("png-grey16.png", png(grey16, 16, 0), "grey16")
    add("png-rgb16.png", png(deep(41, 33, 106, 3), 16, 2))
    add("png-rgb16-interlaced.png", png(deep(41, 33, 106, 3), 16, 2, interlaced=True))
    add("png-rgba16.png", png(deep(41, 33, 107, 4), 16, 6))
    add("png-la16.png", png(deep(41, 33, 108, 2), 16, 4))
    add("png-la8.png", png(deep(41, 33, 109, 2, 8), 8, 4))
    alpha = content(256, 20, 110, 4)
    alpha[..., 3] = np.arange(256)
    add("png-rgba8.png", png(alpha, 8, 6))
    every = np.zeros((256, 256, 2), np.uint8)
    every[..., 0], every[..., 1] = np.mgrid[0:256, 0:256]
    add("png-la8-every-pair.png", pil(Image.frombytes("LA", (256, 256), every.tobytes()), "PNG", optimize=True))
    add("png-rgba8-interlaced.png", png(deep(43, 29, 111, 4, 8), 8, 6, interlaced=True))
    for w, h in [(1, 1), (2, 2), (3, 5), (5, 3), (4, 9)]:
        add(f"png-interlaced-{w}x{h}.png", png(content(w, h, 112), 8, 2, interlaced=True))
    colours = content(16, 16, 113).reshape(-1, 3)
    for depth in (1, 2, 4, 8):
        a = deep(45, 31, 114 + depth, 1, depth)
        plte = chunk(b"PLTE", colours[:1 << depth].tobytes())
        add(f"png-palette{depth}.png", png(a, depth, 3, plte))
        add(f"png-palette{depth}-interlaced.png", png(a, depth, 3, plte, interlaced=True))
    a = deep(45, 31, 120, 1, 8)
    plte = chunk(b"PLTE", colours.tobytes())
    add("png-palette-alphas.png", png(a, 8, 3, plte + chunk(b"tRNS", bytes(range(0, 250, 2)))))
    add("png-palette-one-clear.png", png(a // 8, 8, 3, plte + chunk(b"tRNS", b"\xff" * 9 + b"\0\xff")))
    add("png-palette-empty-trns.png", png(a, 8, 3, plte + chunk(b"tRNS", b"")))
    add("png-palette-short.png", png(a // 4, 8, 3, chunk(b"PLTE", colours[:20].tobytes())))
    add("png-palette-newline.png", png(a // 16, 8, 3, plte + chunk(b"tRNS", b"\xff" * 9 + b"\0\xff\xff\x0a")),
        "trns-newline")
    key = content(50, 30, 121, noise=0)
    add("png-rgb-key.png", png(key, 8, 2, chunk(b"tRNS", struct.pack(">3H", *map(int, key[12, 20])))))
    add("png-rgb-key-wide.png", png(key, 8, 2, chunk(b"tRNS", struct.pack(">3H", *(int(v) + 256 for v in key[12, 20])))))
    g8 = deep(50, 30, 122, 1, 8)
    add("png-grey8-key.png", png(g8, 8, 0, chunk(b"tRNS", struct.pack(">H", int(g8[7, 7, 0])))))
    g1 = deep(50, 30, 123, 1, 1)
    add("png-grey1-key.png", png(g1, 1, 0, chunk(b"tRNS", b"\0\1")))
    g4 = deep(50, 30, 124, 1, 4)
    add("png-grey4-key.png", png(g4, 4, 0, chunk(b"tRNS", b"\0\7")), "trns-depth")
    g2 = deep(50, 30, 125, 1, 2)
    add("png-grey2-key.png", png(g2, 2, 0, chunk(b"tRNS", b"\0\1")), "trns-depth")
    add("png-grey16-key.png", png(grey16, 16, 0, chunk(b"tRNS", struct.pack(">H", int(grey16[3, 3, 0])))), "trns-depth")
    d3 = deep(50, 30, 126, 3)
    d3[10:20, 10:30] = (0x1234, 0x5678, 0x9ABC)
    d3[22:25, 10:30] = (0x3434, 0x7878, 0xBCBC)
    add("png-rgb16-key.png", png(d3, 16, 2, chunk(b"tRNS", struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))), "trns-depth")
    # PNG: structure and metadata
    rgb = content(48, 37, 127)
    add("png-no-end.png", png(rgb, 8, 2, end=False))
    add("png-split.png", png(rgb, 8, 2, split=100))
    whole = png(rgb, 8, 2, end=False)
    add("png-cut-in-checksum.png", whole[:-3])
    add("png-idat-checksum-wrong.png", whole[:-4] + b"abcd" + chunk(b"IEND", b""))
    add("png-junk-after.png", png(rgb, 8, 2) + b"junk" * 30)
    add("png-junk-name-after.png", png(rgb, 8, 2, after=struct.pack(">I", 4) + b"a-bc" + bytes(8), end=False))
    add("png-gamma-icc.png", png(rgb, 8, 2, chunk(b"gAMA", struct.pack(">I", 20000)) +
                                 chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(3000))) +
                                 chunk(b"cHRM", struct.pack(">8I", *[31270, 32900, 15000, 6000, 30000, 60000, 64000, 33000]))))
    add("png-unknown-chunks.png", png(rgb, 8, 2, chunk(b"abCd", b"x" * 9), chunk(b"ABCD", b"")))
    for o in (2, 3, 6, 7):
        add(f"exif-{o}.png", png(rgb, 8, 2, chunk(b"eXIf", exif(o, big=o < 4)), interlaced=o == 6))
    add("exif-after-data.png", png(rgb, 8, 2, after=chunk(b"eXIf", exif(8))))
    add("exif-grey1-5.png", png(g1, 1, 0, chunk(b"eXIf", exif(5))))
    add("raw-profile-text.png", png(rgb, 8, 2, chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif(6)))))
    add("raw-profile-ztxt.png", png(rgb, 8, 2, after=chunk(b"zTXt", b"Raw profile type exif\0\0" +
                                                          zlib.compress(raw_profile(exif(4))))))
    add("raw-profile-and-exif.png", png(rgb, 8, 2, chunk(b"eXIf", exif(2)) +
                                        chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif(6)))))
    add("text-exif.png", png(rgb, 8, 2, chunk(b"tEXt", b"exif\0Exif\0\0" + exif(7))))
    add("xmp.png", png(rgb, 8, 2, itxt(b"XML:com.adobe.xmp", xmp(6))))
    add("xmp-packed.png", png(rgb, 8, 2, itxt(b"XML:com.adobe.xmp", xmp(5, "element"), True)))
    fctl = struct.pack(">IIIIIHHBB", 0, 48, 37, 0, 0, 1, 10, 0, 0)
    second = zlib.compress(b"".join(b"\0" + bytes(r) for r in rows_of(255 - rgb, 8)))
    frame = chunk(b"fcTL", struct.pack(">I", 1) + fctl[4:]) + chunk(b"fdAT", struct.pack(">I", 2) + second)
    add("animation.png", png(rgb, 8, 2, chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", fctl), frame))
    add("animation-exif-late.png", png(rgb, 8, 2, chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", fctl),
                                       frame + chunk(b"eXIf", exif(6))))
    return made


def exact(data, reason):
    """What the exceptions should be, from the samples in the file, without Pillow."""
    w, h, depth, kind = struct.unpack(">IIBB", data[16:26])
    at, idat, trns, plte = 8, b"", None, None
    while at < len(data):
        n, name = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        idat += body if name == b"IDAT" else b""
        trns = body if name == b"tRNS" else trns
        plte = body if name == b"PLTE" else plte
        at += 12 + n
    bands = {0: 1, 2: 3, 3: 1}[kind]
    bpp, pitch = max(1, bands * depth // 8), (w * bands * depth + 7) // 8
    raw, prior, rows = zlib.decompress(idat), bytes(pitch), []
    for y in range(h):
        f, row = raw[y * (pitch + 1)], bytearray(raw[y * (pitch + 1) + 1:(y + 1) * (pitch + 1)])
        for i in range(pitch):
            a, b, c = (row[i - bpp] if i >= bpp else 0), prior[i], (prior[i - bpp] if i >= bpp else 0)
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            row[i] = (row[i] + (0, a, b, (a + b) // 2, a if pa <= pb and pa <= pc else b if pb <= pc else c)[f]) & 255
        rows.append(bytes(row))
        prior = bytes(row)
    bits = np.unpackbits(np.frombuffer(b"".join(rows), np.uint8).reshape(h, pitch), axis=1)[:, :w * bands * depth]
    samples = bits.reshape(h, w, bands, depth).astype(np.int64) @ (1 << np.arange(depth)[::-1])
    if reason == "trns-newline":
        colours = np.frombuffer(plte, np.uint8).reshape(-1, 3).astype(np.float64)
        alphas = np.full(len(colours), 255.0)
        alphas[:len(trns)] = list(trns)
        blend = colours * alphas[:, None] / 255 + 255 - alphas[:, None]
        return np.floor(blend + 0.5).astype(np.uint8)[samples[..., 0]]
    eight = samples >> 8 if depth == 16 else samples * 255 // ((1 << depth) - 1)
    out = np.repeat(eight, 3, -1) if bands == 1 else eight
    if trns is not None:
        clear = (samples == np.array(struct.unpack(f">{bands}H", trns))).all(-1)
        assert clear.any() and not clear.all()
        out = np.where(clear[..., None], 255, out)
    return out.astype(np.uint8)


MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
SPECS = {
    "clip": {"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True,
             "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": MEAN, "image_std": STD,
             "resample": 3, "size": 224},
    "large": {"crop_size": {"height": 336, "width": 336}, "image_processor_type": "CLIPImageProcessor",
              "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 336}},
    "lanczos": {"size": {"shortest_edge": 70, "longest_edge": None}, "crop_size": {"height": 61, "width": 80},
                "resample": 1, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
    "bilinear": {"size": {"height": 90, "width": 47}, "do_center_crop": False, "resample": 2,
                 "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
    "box": {"size": {"shortest_edge": 33}, "crop_size": 40, "resample": 4, "do_normalize": False},
    "hamming": {"size": [51, 64], "crop_size": [60, 33], "resample": 5, "do_rescale": False},
    "nearest": {"size": 64, "default_to_square": True, "crop_size": 63, "resample": 0, "do_rescale": False,
                "do_normalize": False},
    "no-resize": {"do_resize": False, "crop_size": {"height": 64, "width": 48}, "rescale_factor": 0.1,
                  "image_std": 0.25, "image_mean": 0.5},
    "nulls": {"do_resize": None, "do_rescale": None, "do_normalize": True, "default_to_square": None,
              "size": None, "rescale_factor": None, "crop_size": 20, "image_mean": 100},
    "tiny": {"size": {"height": 3, "width": 2}, "do_center_crop": False},
}


def main():
    encoder, root = sys.argv[1], sys.argv[2]
    folder = os.path.join(root, "pictures")
    os.makedirs(os.path.join(root, "resize"), exist_ok=True)
    processors = {}
    for name, spec in SPECS.items():
        os.makedirs(os.path.join(folder, "specs", name), exist_ok=True)
        with open(os.path.join(folder, "specs", name, "preprocessor_config.json"), "w") as f:
            json.dump(spec, f, indent=1)
            f.write("\n")
        processors[name] = CLIPImageProcessorPil.from_pretrained(os.path.join(folder, "specs", name))

    lines, exceptions, total = [], {}, 0
    for name, (data, reason) in pictures(encoder).items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(data)
        data = open(path, "rb").read()
        total += len(data)
        image = ImageOps.exif_transpose(Image.open(path))
        rgb = convert_to_rgb(image, return_numpy=True)
        source = image
        if reason:
            ours = exact(data, reason)
            assert not np.array_equal(rgb, ours), name
            exceptions[name] = reason
            rgb, source = ours, Image.fromarray(ours)
        tensors = {}
        for spec, processor in processors.items():
            t = np.asarray(processor(source, return_tensors="np")["pixel_values"][0])
            t = t.astype(np.float32)
            h, w = t.shape[1:]
            flat = t.reshape(-1)
            picks = flat.tolist() if flat.size <= 18 else [float(flat[i * (flat.size - 1) // 4]) for i in range(5)]
            tensors[spec] = [h, w, fnv_array(t), picks]
        entry = {"file": name, "width": rgb.shape[1], "height": rgb.shape[0], "rgb": fnv_array(rgb), "tensors": tensors}
        lines.append(json.dumps(entry, separators=(",", ":")))
    with open(os.path.join(folder, "pictures.json"), "w") as f:
        f.write('{"pictures":[\n' + ",\n".join(lines) + "\n]}\n")

    # Resizing: the input is splitmix64(seed), in [h, w, channels].
    rows = []

    def resized(seed, w, h, channels, to_w, to_h, filter_id):
        a = splitmix(seed, w * h * channels)
        if seed % 4 == 0:
            a = np.where(a > 127, 255, 0).astype(np.uint8)
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[channels]
        image = Image.frombytes(mode, (w, h), a.tobytes())
        rows.append([seed, w, h, channels, to_w, to_h, filter_id, fnv_array(np.array(image.resize((to_w, to_h), filter_id)))])

    rng = np.random.default_rng(14)
    for seed in range(1, 241):
        w, h, to_w, to_h = (int(2 ** rng.uniform(0, 8.6)) for _ in range(4))
        resized(seed, w, h, int(rng.choice([1, 3, 4])), to_w, to_h, seed % 6)
    for seed, (w, h, to_w, to_h) in enumerate([(540, 1200, 224, 497), (300, 1000, 224, 746), (1000, 300, 746, 224),
                                               (1, 900, 2, 60), (900, 1, 60, 2), (3000, 2, 5, 2), (2, 3000, 2, 5),
                                               (100, 301, 50, 201), (100, 302, 50, 201), (100, 300, 50, 201),
                                               (64, 64, 64, 20), (64, 64, 20, 64), (64, 64, 64, 64), (7, 5, 300, 290)]):
        for filter_id in range(6):
            resized(1001 + seed, w, h, 3, to_w, to_h, filter_id)
    line = Image.frombytes("L", (10, 1), bytes(range(0, 250, 25)))
    published = [[w, f, np.array(line.resize((w, 1), f)).reshape(-1).tolist()]
                 for w, f in [(4, 3), (4, 2), (4, 1), (4, 4), (4, 5), (4, 0), (13, 3), (13, 1), (13, 0)]]
    with open(os.path.join(root, "resize", "resize.json"), "w") as f:
        f.write('{"line":' + json.dumps(published, separators=(",", ":")) + ',\n"random":[\n' +
                ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]}\n")

    versions = {"script": "tools/oracle/pictures.py", "pillow": PIL.__version__, "transformers": transformers.__version__,
                "numpy": np.__version__}
    with open(os.path.join(folder, "manifest.json"), "w") as f:
        json.dump({**versions, "reference": "CLIPImageProcessorPil of ImageOps.exif_transpose(Image.open(file))",
                   "pictures": len(lines), "bytes": total, "hash": "fnv_array of the script",
                   "reasons": {
                       "grey16": "Pillow makes every 16-bit grey above 255 white; akin takes the high byte",
                       "trns-depth": "Pillow compares the tRNS colour of 2-, 4- and 16-bit samples at the wrong depth; "
                                     "akin compares at the depth of the file",
                       "trns-newline": "Pillow takes a tRNS of one 0, else 255, and a last 10 for one clear colour: a "
                                       "regular expression's $ matches before a newline; akin keeps the 10"},
                   "expected": "computed from the file's samples with numpy (exact in the script), then CLIPImageProcessorPil",
                   "exceptions": exceptions}, f, indent=1)
        f.write("\n")
    with open(os.path.join(root, "resize", "manifest.json"), "w") as f:
        json.dump({**versions, "reference": "Image.resize", "rows": len(rows) + len(published)}, f, indent=1)
        f.write("\n")
    print(len(lines), "pictures,", total, "bytes")


if __name__ == "__main__":
    main()
