"""Makes tests/golden/tiff: small TIFF files of every kind that Pillow reads, and what it makes of them.

    python tools/oracle/tiff.py tests/golden

Needs Pillow 13.0.0, transformers 5.23.0, numpy. The files are written by hand: Pillow cannot save most
kinds. Only CCITT and ZSTD strips are taken from files that Pillow saved. Deterministic: files are
kept when they exist (another libtiff would encode other bytes), the answers are always made anew.
"""
import io
import json
import lzma
import os
import struct
import sys
import warnings
import zlib

import torchvision_cpu  # noqa: F401
import numpy as np
import PIL
import transformers
from PIL import Image, ImageOps
from transformers.image_transforms import convert_to_rgb

from pictures import content, fnv_array, splitmix

warnings.filterwarnings("ignore")

NONE, RLE, G3, G4, LZW, JPEG, DEFLATE, PACKBITS = 1, 2, 3, 4, 5, 7, 8, 32773
OLD_DEFLATE, LZMA, ZSTD, WEBP = 32946, 34925, 50000, 50001
PIL_NAMES = {RLE: "tiff_ccitt", G3: "group3", G4: "group4", ZSTD: "zstd"}
REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def lzw(data):
    """The TIFF form: most significant bit first, the width grows one code early."""
    out, acc, bits = bytearray(), 0, 0

    def emit(code):
        nonlocal acc, bits
        acc, bits = acc << width | code, bits + width
        while bits >= 8:
            out.append(acc >> (bits - 8) & 255)
            bits -= 8
        acc &= (1 << bits) - 1

    width, table, prefix = 9, {bytes([i]): i for i in range(256)}, b""
    emit(256)
    for b in data:
        grown = prefix + bytes([b])
        if grown in table:
            prefix = grown
            continue
        emit(table[prefix])
        table[grown] = len(table) + 2
        prefix = bytes([b])
        if len(table) + 2 == 4094:
            emit(256)
            width, table = 9, {bytes([i]): i for i in range(256)}
        elif len(table) + 2 > (1 << width) - 1:
            width += 1
    if prefix:
        emit(table[prefix])
        if len(table) + 3 > (1 << width) - 1 and width < 12:
            width += 1
    emit(257)
    if bits:
        out.append(acc << (8 - bits) & 255)
    return bytes(out)


def packbits(rows):
    out = bytearray()
    for row in rows:
        i = 0
        while i < len(row):
            n = 1
            while n < 128 and i + n < len(row) and row[i + n] == row[i]:
                n += 1
            if n > 1:
                out += bytes([257 - n, row[i]])
            else:
                while n < 128 and i + n < len(row) and row[i + n] != row[i + n - 1]:
                    n += 1
                out += bytes([n - 1]) + row[i:i + n]
            i += n
    return bytes(out)


def saved_strip(image, compression, **options):
    """The one strip of a file that Pillow saved, as it is there."""
    out = io.BytesIO()
    image.save(out, "TIFF", compression=PIL_NAMES[compression], tiffinfo={278: image.height, **options.pop("tags", {})},
               strip_size=1 << 24, **options)
    with Image.open(io.BytesIO(out.getvalue())) as t:
        (at,), (n,) = t.tag_v2[273], t.tag_v2[279]
    return out.getvalue()[at:at + n]


def packed_rows(samples, bits, big):
    """[h, w, c] to rows of bytes."""
    flat = samples.reshape(samples.shape[0], -1)
    if bits >= 8 and bits != 12:
        kind = {8: "u1", 16: "u2", 32: "u4"}[bits]
        return [r.astype((">" if big else "<") + kind).tobytes() for r in flat]
    out = []
    for r in flat:
        planes = (r[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)
        out.append(np.packbits(planes.reshape(-1)).tobytes())
    return out


def strip_bytes(samples, bits, big, compression, predictor=1, **options):
    if predictor == 2:
        samples = samples.astype(np.int64)
        samples[:, 1:] -= samples[:, :-1].copy()
        samples &= (1 << bits) - 1
    if compression in (RLE, G3, G4):
        # Pillow writes ones for white; the file's photometric tag is ours. Its bits are 1: white.
        image = Image.fromarray(samples[..., 0].astype(np.uint8) * 255).convert("1", dither=0)
        tags = {292: options.get("fax", 0)} if compression == G3 else {}
        return saved_strip(ImageOps.invert(image.convert("L")).convert("1") if options.get("flip") else image,
                           compression, tags=tags)
    if compression == JPEG:
        out = io.BytesIO()
        a = samples.astype(np.uint8)
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[a.shape[2]]
        image = Image.frombytes(mode, a.shape[1::-1], a.tobytes())
        image.save(out, "JPEG", quality=options.get("quality", 85), subsampling=options.get("subsampling", 0),
                   progressive=options.get("progressive", False), keep_rgb=options.get("keep_rgb", False))
        return out.getvalue()
    if compression == WEBP:
        a = samples.astype(np.uint8)
        image = Image.frombytes({3: "RGB", 4: "RGBA"}[a.shape[2]], a.shape[1::-1], a.tobytes())
        out = io.BytesIO()
        image.save(out, "WEBP", lossless=True, exact=True)
        return out.getvalue()
    rows = packed_rows(samples, bits, big)
    raw = b"".join(rows)
    if compression == LZW:
        return lzw(raw)
    if compression == PACKBITS:
        return packbits(rows)
    if compression in (DEFLATE, OLD_DEFLATE):
        return zlib.compress(raw, 9)
    if compression == LZMA:
        return lzma.compress(raw, lzma.FORMAT_XZ, preset=6)
    if compression == ZSTD:
        return saved_strip(Image.frombytes("L", (len(rows[0]), len(rows)), raw), ZSTD)
    return raw


def tiff(samples, photometric, bits=8, *, big=False, big_tiff=False, compression=NONE, rows=0, tile=None, apart=False,
         predictor=1, fill=1, extras=(), orientation=0, colours=None, tags=(), leave=(), magic=None, **options):
    """samples [h, w, c]. rows: of a strip, 0 for all; tile: (width, height). tags: more of them, (tag, type, values).
    leave: tags to leave out. The directory comes last."""
    e = ">" if big else "<"
    h, w, c = samples.shape
    planes = [samples[..., i:i + 1] for i in range(c)] if apart else [samples]
    if big_tiff:
        out = bytearray((b"MM" if big else b"II") + struct.pack(e + "HHHQ", 43, 8, 0, 0))
    else:
        out = bytearray((b"MM" if big else b"II") + struct.pack(e + "HI", 42, 0))
    offsets, counts = [], []
    tw, th = tile or (w, rows or h)
    for plane in planes:
        for y in range(0, h, th):
            for x in range(0, w, tw):
                part = plane[y:y + th, x:x + tw]
                if tile:
                    part = np.pad(part, ((0, th - part.shape[0]), (0, tw - part.shape[1]), (0, 0)), "edge")
                data = strip_bytes(part, bits, big, compression, predictor, **options)
                if fill == 2:
                    data = data.translate(REVERSED)
                out += bytes(len(out) % 2)
                offsets.append(len(out))
                counts.append(len(data))
                out += data
    fields = {256: (4, [w]), 257: (4, [h]), 258: (3, [bits] * c), 259: (3, [compression]), 262: (3, [photometric]),
              277: (3, [c])}
    if tile:
        fields |= {322: (4, [tw]), 323: (4, [th]), 324: (4, offsets), 325: (4, counts)}
    else:
        fields |= {273: (4, offsets), 278: (4, [th]), 279: (4, counts)}
    if apart:
        fields[284] = (3, [2])
    if predictor != 1:
        fields[317] = (3, [predictor])
    if fill != 1:
        fields[266] = (3, [fill])
    if len(extras):
        fields[338] = (3, list(extras))
    if orientation:
        fields[274] = (3, [orientation])
    if "fax" in options:
        fields[292] = (4, [options["fax"]])
    if colours is not None:
        fields[320] = (3, colours.T.reshape(-1).tolist())
    for tag, kind, values in tags:
        fields[tag] = (kind, values)
    for tag in leave:
        fields.pop(tag, None)
    codes = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 9: "i", 16: "Q"}
    word = 8 if big_tiff else 4
    entries = []
    for tag, (kind, values) in sorted(fields.items()):
        data = struct.pack(f"{e}{len(values)}{codes[kind]}", *values)
        if len(data) > word:
            out += bytes(len(out) % 2)
            data, at = struct.pack(e + ("Q" if big_tiff else "I"), len(out)), data
            out += at
        entries.append(struct.pack(e + ("HHQ" if big_tiff else "HHI"), tag, kind, len(values)) + data.ljust(word, b"\0"))
    out += bytes(len(out) % 2)
    struct.pack_into(e + ("Q" if big_tiff else "I"), out, word, len(out))
    out += struct.pack(e + ("Q" if big_tiff else "H"), len(entries)) + b"".join(entries) + bytes(word)
    if magic:
        out[:4] = magic
    return bytes(out)


def deep(w, h, seed, bands, bits):
    v = content(w, h, seed, bands).astype(np.uint32)
    s = splitmix(seed + 1000, v.size).reshape(v.shape).astype(np.uint32)
    return {8: v, 12: v << 4 | s >> 4, 16: v << 8 | s}.get(bits, v >> max(0, 8 - bits))


def palette(count, seed=5):
    p = splitmix(seed, count * 6).astype(np.uint16).reshape(count, 3, 2)
    return p[..., 0] << 8 | p[..., 1]


REASONS = {
    "grey16": "Pillow makes every grey of 12 or 16 bits above 255 white, and does not invert where white is zero; akin "
              "takes the high byte",
    "apart16": "Pillow reads uncompressed planes of 16 bits as planes of 8, and never turns the bits of planes; akin "
               "takes the high byte, and turns them",
    "apart-alpha": "Pillow loses or divides by the alpha of some files with planes apart; akin reads them as it reads planes "
                   "together",
    "premultiplied-grey": "Pillow opens grey with premultiplied alpha and cannot convert it; akin divides, as Pillow does for "
                          "RGB",
    "no-unpacker": "Pillow's table names an unpacker that it does not have",
    "apart-extra": "Pillow fails at the plane that it means to pass over",
    "webp": "Pillow's libtiff has no WebP",
    "big-endian-bigtiff": "Pillow takes a big-endian BigTIFF for a classic file and fails",
    "table": "not in Pillow's table for this byte order or fill order",
}


def exact(samples, photometric, bits, extras, orientation=0):
    """What the exceptions should be: (flat, stored), from the samples."""
    v = samples.astype(np.int64)
    v = v >> (bits - 8) if bits > 8 else v * 255 // ((1 << bits) - 1)
    v = 255 - v if photometric == 0 else v
    n = 3 if photometric == 2 else 1
    v = v[..., :n] if list(extras[:1]) == [0] else v
    colour = np.repeat(v[..., :n], 3 // n, -1)
    if v.shape[2] == n:
        flat = stored = colour
    else:
        alpha = v[..., n:n + 1]
        if list(extras[:1]) == [1]:
            colour = np.where(alpha == 0, 0, np.minimum(colour * 255 // np.maximum(alpha, 1), 255))
        stored = np.concatenate([colour, alpha], -1)
        rgba = Image.frombytes("RGBA", stored.shape[1::-1], stored.astype(np.uint8).tobytes())
        flat = convert_to_rgb(rgba, return_numpy=True)
    return flat.astype(np.uint8), stored.astype(np.uint8), 0 if stored.shape[2] == 3 else 2


def reference(data):
    """What Pillow makes of it: (flat, stored, layout)."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert not image.mode.startswith("I"), image.mode
    flat = convert_to_rgb(image, return_numpy=True)
    if image.mode in ("1", "P"):
        return flat, np.array(image.convert("RGB")), 1
    if image.mode in ("LA", "RGBA", "PA"):
        return flat, np.array(image.convert("RGBA")), 2
    if image.mode == "CMYK":
        return flat, np.array(image), 3
    assert image.mode in ("L", "RGB", "YCbCr"), image.mode
    return flat, np.array(image.convert("RGB")), 0


def files():
    """name -> (bytes, reason, what exact() needs)."""
    made = {}

    def add(name, samples, photometric, bits=8, reason=None, **options):
        assert name not in made, name
        data = tiff(samples, photometric, bits, **options)
        made[name + ".tif"] = (data, reason, (samples, photometric, bits, options.get("extras", ())))

    # kinds of pixels
    for bits in (1, 2, 4, 8):
        for photometric in (0, 1):
            a = deep(37, 23, 10 * bits + photometric, 1, bits)
            add(f"grey{bits}-{photometric}", a, photometric, bits, rows=5)
            add(f"grey{bits}-{photometric}-fill", a, photometric, bits,
                "no-unpacker" if (bits, photometric) == (8, 0) else None, rows=5, fill=2, big=True)
            add(f"grey{bits}-{photometric}-lzw", a, photometric, bits, rows=7, compression=LZW, tile=(16, 16))
        a = deep(35, 22, 10 * bits + 3, 1, bits)
        add(f"palette{bits}", a, 3, bits, colours=palette(1 << bits), rows=9)
        add(f"palette{bits}-packbits", a, 3, bits, colours=palette(1 << bits), rows=9, compression=PACKBITS, fill=2)
    for big in (False, True):
        n = "big" if big else "little"
        for compression in (NONE, DEFLATE):
            add(f"grey16-{n}-{compression}", deep(21, 13, 50, 1, 16), 1, 16, "grey16", big=big, compression=compression,
                predictor=1 if compression == NONE else 2)
            add(f"rgb16-{n}-{compression}", deep(21, 13, 51, 3, 16), 2, 16, big=big, compression=compression, rows=4)
            add(f"rgb16-{n}-{compression}-apart", deep(21, 13, 52, 3, 16), 2, 16, "apart16" if compression == NONE else None,
                big=big, compression=compression, rows=6, apart=True, predictor=1 if compression == NONE else 2)
            add(f"cmyk16-{n}-{compression}", deep(15, 17, 53, 4, 16), 5, 16, big=big, compression=compression)
            for extra in (0, 1, 2):
                add(f"rgba16-{n}-{compression}-{extra}", deep(15, 17, 54, 4, 16), 2, 16, big=big, compression=compression,
                    extras=[extra])
            add(f"rgba16-{n}-{compression}", deep(15, 17, 55, 4, 16), 2, 16, big=big, compression=compression)
    add("grey16-white-is-zero", deep(21, 13, 56, 1, 16), 0, 16, "grey16")
    add("grey12", deep(30, 17, 57, 1, 12), 1, 12, "grey16")
    add("grey12-odd-lzw", deep(31, 17, 58, 1, 12), 1, 12, "grey16", compression=LZW)
    add("grey8-signed", deep(31, 17, 59, 1, 8), 1, tags=[(339, 3, [2])])
    for extra in (0, 1, 2):
        reason = "premultiplied-grey" if extra == 1 else None
        add(f"grey-extra{extra}", deep(18, 13, 60, 2, 8), 1, 8, reason, extras=[extra])
        add(f"grey-extra{extra}-zip", deep(18, 13, 61, 2, 8), 1, 8, reason, extras=[extra], compression=DEFLATE, predictor=2)
        for more in (0, 1, 2):
            add(f"rgb-extra{extra}-{more}", deep(18, 13, 62 + more, 4 + more, 8), 2, extras=[extra] + [0] * more, rows=6)
            add(f"rgb-extra{extra}-{more}-lzw", deep(18, 13, 62 + more, 4 + more, 8), 2, extras=[extra] + [0] * more,
                rows=6, compression=LZW, predictor=2)
    add("rgb-extra-999", deep(18, 13, 66, 4, 8), 2, extras=[999])
    add("rgb-four", deep(18, 13, 67, 4, 8), 2)
    for extra in (0, 2):
        add(f"palette-extra{extra}", deep(18, 13, 68, 2, 8), 3, extras=[extra], colours=palette(256))
    for more in (0, 1, 2):
        add(f"cmyk-{more}", deep(18, 13, 70 + more, 4 + more, 8), 5, extras=[0] * more)
        add(f"cmyk-{more}-zip", deep(18, 13, 70 + more, 4 + more, 8), 5, extras=[0] * more, compression=DEFLATE)
    every = np.stack(np.meshgrid(np.arange(0, 256, 5), np.arange(0, 256, 5)), -1)
    add("ycbcr", np.concatenate([np.full(every.shape[:2] + (1,), 120), every], -1), 6, tags=[(530, 3, [1, 1])])
    # where strips and tiles lie, how they are packed
    a = deep(41, 27, 80, 3, 8)
    add("rgb-webp", a, 2, 8, "webp", compression=WEBP, rows=20)
    add("rgba-webp", deep(41, 27, 85, 4, 8), 2, 8, "webp", compression=WEBP, extras=[2], tile=(32, 32))
    for name, compression in [("none", NONE), ("lzw", LZW), ("packbits", PACKBITS), ("deflate", DEFLATE),
                              ("old-deflate", OLD_DEFLATE), ("lzma", LZMA), ("zstd", ZSTD)]:
        add(f"rgb-{name}", a, 2, compression=compression, rows=12)
        add(f"rgb-{name}-tiles-big", a, 2, compression=compression, tile=(32, 16), big=True)
        add(f"rgb-{name}-apart", a[:13], 2, compression=compression, rows=8, apart=True)
        add(f"rgb-{name}-apart-tiles", a[:13], 2, compression=compression, tile=(16, 32), apart=True)
        if compression not in (NONE, PACKBITS):
            add(f"rgb-{name}-predictor", a[:13], 2, compression=compression, rows=8, predictor=2)
            add(f"rgb-{name}-fill", a[:13], 2, compression=compression, rows=8, fill=2)
            add(f"rgb-{name}-apart-predictor", a[:13], 2, compression=compression, rows=8, predictor=2, apart=True)
    add("rgb-none-fill", a[:13], 2, fill=2, big=True)
    add("rgb-apart-fill", deep(18, 13, 86, 3, 8), 2, 8, "apart16", apart=True, fill=2, rows=5)
    add("rgb-apart-extra0", deep(18, 13, 81, 4, 8), 2, 8, "apart-extra", apart=True, extras=[0], rows=4)
    add("rgb-apart-extra0-zip", deep(18, 13, 81, 4, 8), 2, apart=True, extras=[0], rows=4, compression=DEFLATE)
    add("rgba-apart", deep(18, 13, 82, 4, 8), 2, apart=True, extras=[2], rows=4)
    add("rgba-apart-lzw", deep(18, 13, 82, 4, 8), 2, apart=True, extras=[2], rows=4, compression=LZW)
    add("rgba-apart-lzw-extra1", deep(18, 13, 82, 4, 8), 2, apart=True, extras=[1], rows=4, compression=LZW)
    add("rgba-apart-unsaid-lzw", deep(18, 13, 82, 4, 8), 2, 8, "apart-alpha", apart=True, rows=4, compression=LZW)
    add("la-apart-lzw", deep(18, 13, 83, 2, 8), 1, 8, "apart-alpha", apart=True, extras=[2], rows=4, compression=LZW)
    add("cmyk-apart", deep(18, 13, 84, 4, 8), 5, apart=True, rows=4)
    add("cmyk-apart-zip", deep(18, 13, 84, 4, 8), 5, apart=True, rows=4, compression=DEFLATE)
    for n, (w, h) in enumerate([(1, 1), (1, 40), (40, 1), (17, 33)]):
        add(f"size-{w}x{h}", deep(w, h, 90 + n, 3, 8), 2, rows=3, compression=LZW)
        add(f"size-{w}x{h}-bit", deep(w, h, 90 + n, 1, 1), 1, 1, tile=(16, 16))
    # CCITT
    bits = (content(70, 41, 100, 1, noise=10) > 110).astype(np.uint8)
    for name, compression, options in [("rle", RLE, {}), ("g3", G3, {"fax": 0}), ("g3-2d", G3, {"fax": 1}),
                                       ("g3-aligned", G3, {"fax": 4}), ("g4", G4, {})]:
        for photometric in (0, 1):
            add(f"{name}-{photometric}", bits, photometric, 1, compression=compression, rows=16, **options)
        add(f"{name}-fill", bits, 0, 1, compression=compression, rows=41, fill=2, **options)
    add("g4-tiles", bits, 0, 1, compression=G4, tile=(32, 32), big=True)
    add("g4-palette", bits, 3, 1, compression=G4, colours=palette(2))
    # JPEG
    smooth = content(61, 43, 110, 3, noise=6)
    four = content(61, 43, 111, 4, noise=6)
    add("jpeg-grey", smooth[..., :1], 1, compression=JPEG, rows=16)
    add("jpeg-grey-inverted", smooth[..., :1], 0, compression=JPEG, rows=16)
    add("jpeg-rgb", smooth, 2, compression=JPEG, rows=16, keep_rgb=True)
    add("jpeg-rgb-apart", smooth, 2, compression=JPEG, rows=16, apart=True)
    add("jpeg-cmyk", four, 5, compression=JPEG, rows=24)
    for name, subsampling, pair in [("444", 0, [1, 1]), ("422", 1, [2, 1]), ("420", 2, [2, 2])]:
        add(f"jpeg-{name}", smooth, 6, compression=JPEG, rows=16, subsampling=subsampling, tags=[(530, 3, pair)])
        add(f"jpeg-{name}-unsaid", smooth, 6, compression=JPEG, tile=(32, 32), big=True, subsampling=subsampling)
    add("jpeg-progressive", smooth, 6, compression=JPEG, subsampling=2, progressive=True, tags=[(530, 3, [2, 2])])
    tables = io.BytesIO()
    Image.fromarray(smooth).save(tables, "TIFF", compression="jpeg", quality=70)
    made["jpeg-tables.tif"] = (tables.getvalue(), None, None)
    # directories
    b = deep(23, 14, 120, 3, 8)
    for o in range(1, 10):
        add(f"orientation-{o}", b, 2, orientation=o, compression=(NONE, LZW)[o % 2], **({"rows": 5} if o < 6 else {"tile": (16, 16)}))
    add("orientation-6-bit", deep(31, 18, 121, 1, 1), 1, 1, orientation=6)
    add("orientation-7-cmyk", deep(31, 18, 122, 4, 8), 5, orientation=7)
    add("orientation-8-alpha", deep(31, 18, 123, 4, 8), 2, extras=[2], orientation=8)
    add("orientation-long", b, 2, tags=[(274, 4, [6])])
    xmp = b'<rdf:Description tiff:Orientation="8"/>'
    add("orientation-xmp", b, 2, tags=[(700, 1, list(xmp))])
    add("orientation-over-xmp", b, 2, orientation=3, tags=[(700, 7, list(xmp))])
    add("bigtiff", b, 2, big_tiff=True, rows=5)
    add("bigtiff-long8", b, 2, big_tiff=True, compression=LZW, tags=[(256, 16, [23])])
    add("bigtiff-big", b, 2, 8, "big-endian-bigtiff", big_tiff=True, big=True, rows=5)
    add("swapped-little", b, 2, magic=b"II\0*")
    add("swapped-big", b, 2, big=True, magic=b"MM*\0")
    add("no-photometric", deep(31, 18, 124, 1, 8), 0, leave=[262])
    add("no-rows-per-strip", b, 2, leave=[278], compression=LZW)
    add("no-byte-counts", b, 2, leave=[279])
    add("no-byte-counts-lzw", b, 2, leave=[279], compression=LZW)
    add("one-bits-per-sample", b, 2, tags=[(258, 3, [8])])
    add("short-palette", deep(31, 18, 125, 1, 8) // 8, 3, colours=palette(40))
    add("grey12-big", deep(30, 17, 126, 1, 12), 1, 12, "table", big=True)
    add("grey16-white-is-zero-big", deep(29, 17, 127, 1, 16), 0, 16, "table", big=True)
    out = io.BytesIO()
    Image.fromarray(b.astype(np.uint8)).save(out, "TIFF", save_all=True,
                                            append_images=[Image.fromarray(255 - smooth)], compression="tiff_lzw")
    made["pages.tif"] = (out.getvalue(), None, None)
    return made


def main():
    folder = os.path.join(sys.argv[1], "tiff")
    os.makedirs(folder, exist_ok=True)
    lines, exceptions, total = [], {}, 0
    for name, (data, reason, source) in files().items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(data)
        data = open(path, "rb").read()
        total += len(data)
        if reason:
            try:
                flat, stored, layout = reference(data)
                wrong = (flat, stored)
            except (AssertionError, OSError, ValueError, TypeError):
                wrong = None  # I;16, or an error
            flat, stored, layout = exact(*source)
            assert wrong is None or not np.array_equal(wrong[0], flat), name
            exceptions[name] = reason
        else:
            flat, stored, layout = reference(data)
        lines.append(json.dumps({"file": name, "width": flat.shape[1], "height": flat.shape[0], "rgb": fnv_array(flat),
                                 "layout": layout, "stored": fnv_array(stored)}, separators=(",", ":")))
    with open(os.path.join(folder, "pictures.json"), "w") as f:
        f.write('{"pictures":[\n' + ",\n".join(lines) + "\n]}\n")
    with open(os.path.join(folder, "manifest.json"), "w") as f:
        json.dump({"script": "tools/oracle/tiff.py", "pillow": PIL.__version__, "transformers": transformers.__version__,
                   "numpy": np.__version__,
                   "reference": "rgb: convert_to_rgb(ImageOps.exif_transpose(Image.open(file))); stored: the same before "
                                "convert_to_rgb, in akin_layout number `layout`",
                   "pictures": len(lines), "bytes": total, "hash": "fnv_array of pictures.py", "reasons": REASONS,
                   "expected": "of the exceptions: computed from the samples the file was made of (exact in the script)",
                   "exceptions": exceptions}, f, indent=1)
        f.write("\n")
    print(len(lines), "pictures,", total, "bytes")


if __name__ == "__main__":
    main()
