"""Makes tests/golden/modules: HEIC, AVIF and raw photographs, and the pixels that second decoders make
of them: NAME.png, or for the raw photographs their hash in manifest.json.

    python tools/oracle/heif_raw.py tests/golden/modules

Needs Pillow 13.0.0 (AVIF through libavif), pillow_heif 1.8.1 (HEIC through a libheif of its own), rawpy
0.28.0 (LibRaw 0.22) and numpy. Pictures are kept when they exist (other encoders write other bytes), the
answers are always made anew. The raw photographs are written here, byte by byte: a sensor of noise and
previews by Pillow; what is expected of them is the preview as Pillow decodes it, turned by Pillow, and
rawpy has to find the same preview.
"""
import io
import json
import os
import struct
import sys

import numpy as np
import PIL
import pillow_heif
import rawpy
from PIL import Image, ImageOps

W, H = 48, 36
TURNED = 72, 66


def content(w=W, h=H):
    """Gradients and a soft disc: nothing symmetric, nothing sharp, since decoders differ in how they
    stretch subsampled colours."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    u, v = x / (w - 1), y / (h - 1)
    d = np.exp(-((u - 0.3) ** 2 + (v - 0.65) ** 2) * 12)
    p = np.stack([60 + 120 * u, 70 + 110 * v * (1 - d / 2), 200 - 100 * u * v + 25 * d], -1)
    return np.clip(p, 0, 255).astype(np.uint8)


def fnv_array(a):
    """FNV-1a over 64-bit little-endian words (the rest padded with zeros), four lanes, as in
    pictures.py."""
    raw = np.ascontiguousarray(a).tobytes()
    raw += bytes(-len(raw) % 32)
    prime, mask = 0x100000001B3, (1 << 64) - 1
    lanes = [0xCBF29CE484222325] * 4
    for i, (word,) in enumerate(struct.iter_unpack("<Q", raw)):
        lanes[i % 4] = (lanes[i % 4] ^ word) * prime & mask
    h = 0xCBF29CE484222325
    for b in struct.pack("<4Q", *lanes):
        h = (h ^ b) * prime & mask
    return f"{h:016x}"


def exif(orientation, make=None, model=None):
    e = Image.Exif()
    e[0x112] = orientation
    if make:
        e[0x10F], e[0x110] = make, model
    return e.tobytes()


# ---- HEIC and AVIF


def heic(image, orientation=None, tile=0, **how):
    """The EXIF orientation becomes rotation and mirroring, and stays in the EXIF block too, as in an
    iPhone's pictures. Not from_pillow: it turns the pixels as well."""
    file = pillow_heif.from_bytes(image.mode, image.size, image.tobytes())
    if orientation:
        file[0].info["exif"] = exif(orientation)
    pillow_heif.options.GRID_TILE_SIZE = tile
    out = io.BytesIO()
    file.save(out, **how)
    return out.getvalue()


def heic10(array, **how):
    out = io.BytesIO()
    h, w = array.shape[:2]
    pillow_heif.from_bytes("RGB;16", (w, h), (array.astype(np.uint16) * 257).tobytes()).save(out, **how)
    return out.getvalue()


def avif(image, orientation=None, **how):
    out = io.BytesIO()
    if orientation:
        how["exif"] = exif(orientation)
    image.save(out, "AVIF", **how)
    return out.getvalue()


def boxes(data, at, end):
    while at + 8 <= end:
        size, = struct.unpack_from(">I", data, at)
        yield bytes(data[at + 4 : at + 8]), at, size
        at += size


def ios18(data):
    """One more target of the `auxl` reference, as iPhones write since iOS 18: the auxiliary picture
    belongs to two pictures (items 1 and 3 of what pillow_heif writes). Two bytes longer, hence every box around and every offset behind it."""
    d = bytearray(data)
    meta = next(b for b in boxes(d, 0, len(d)) if b[0] == b"meta")
    inside = {b[0]: b for b in boxes(d, meta[1] + 12, meta[1] + meta[2])}
    iref, iloc = inside[b"iref"], inside[b"iloc"]
    auxl = next(b for b in boxes(d, iref[1] + 12, iref[1] + iref[2]) if b[0] == b"auxl")
    source, count = struct.unpack_from(">HH", d, auxl[1] + 8)
    assert count == 1
    # iloc: version, sizes, items of (id, [method], base index, extents)
    at = iloc[1] + 8
    version = d[at]
    offset_size, length_size, base_size, index_size = d[at + 4] >> 4, d[at + 4] & 15, d[at + 5] >> 4, d[at + 5] & 15
    assert version < 2 and offset_size == 4 and base_size in (0, 4)
    items, = struct.unpack_from(">H", d, at + 6)
    at += 8
    for _ in range(items):
        item, = struct.unpack_from(">H", d, at)
        method = struct.unpack_from(">H", d, at + 2)[0] & 15 if version == 1 else 0
        at += 6 if version == 1 else 4
        base = struct.unpack_from(">I", d, at)[0] if base_size else 0
        if base and method == 0:
            struct.pack_into(">I", d, at, base + 2)
        at += base_size
        extents, = struct.unpack_from(">H", d, at)
        at += 2
        for _ in range(extents):
            at += index_size if version == 1 else 0
            if not base and method == 0:
                struct.pack_into(">I", d, at, struct.unpack_from(">I", d, at)[0] + 2)
            at += offset_size + length_size
    for box in (meta, iref, auxl):
        struct.pack_into(">I", d, box[1], box[2] + 2)
    struct.pack_into(">H", d, auxl[1] + 10, 2)
    target, = struct.unpack_from(">H", d, auxl[1] + 12)
    d[auxl[1] + 14 : auxl[1] + 14] = struct.pack(">H", target + 2)
    return bytes(d)


def with_alpha():
    return Image.fromarray(np.dstack([content(), (np.mgrid[0:H, 0:W][1] * 255 // (W - 1)).astype(np.uint8)]))


def two_with_alpha():
    out = io.BytesIO()
    file = pillow_heif.from_pillow(with_alpha())
    file.add_from_pillow(with_alpha().resize((16, 12)))
    file.save(out, quality=90)
    return out.getvalue()


def heif_files():
    rgb = Image.fromarray(content())
    # libheif 1.19.7 shifts the colours of pictures below 64 pixels when it turns them.
    large = Image.fromarray(content(*TURNED))
    alpha = with_alpha()
    yield "heic-420.heic", lambda: heic(large, quality=90)
    yield "heic-444.heic", lambda: heic(rgb, quality=90, chroma=444)
    for o in (3, 5, 6, 7, 8):
        yield f"heic-turn{o}.heic", lambda o=o: heic(large, o, quality=90)
    yield "heic-alpha.heic", lambda: heic(alpha, quality=90)
    yield "heic-10bit.heic", lambda: heic10(content(), quality=90)
    yield "heic-grid.heic", lambda: heic(Image.fromarray(content(110, 76)), 6, tile=64, quality=90)
    yield "heic-odd.heic", lambda: heic(Image.fromarray(content(47, 35)), quality=90)
    yield "avif-444.avif", lambda: avif(rgb, quality=90, subsampling="4:4:4")
    yield "avif-420.avif", lambda: avif(large, quality=90)
    for o in (2, 6, 7):
        yield f"avif-turn{o}.avif", lambda o=o: avif(large, o, quality=90)
    yield "avif-alpha.avif", lambda: avif(alpha, quality=90)
    yield "avif-grey.avif", lambda: avif(rgb.convert("L"), quality=90)


def over_white(image):
    if image.mode != "RGBA":
        return image.convert("RGB")
    a = np.asarray(image).astype(np.float64)
    t = a[..., 3:] / 255
    return Image.fromarray(np.rint(a[..., :3] * t + 255 * (1 - t)).astype(np.uint8))


def second(name, data):
    if name.endswith(".avif"):
        return over_white(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    return over_white(pillow_heif.open_heif(io.BytesIO(data)).to_pillow())


# ---- raw photographs


class Tiff:
    """Directories and data behind one another; entries are (tag, type, values) with type 1 BYTE, 2
    ASCII, 3 SHORT, 4 LONG, 5 RATIONAL. A value may be a Later, filled in when its place is known."""

    def __init__(self, big=False, head=None):
        self.e = ">" if big else "<"
        self.out = bytearray(head or ((b"MM\0*" if big else b"II*\0") + struct.pack(self.e + "I", 8)))

    def data(self, raw):
        self.out += bytes(len(self.out) % 2)
        at = len(self.out)
        self.out += raw
        return at

    def directory(self, entries, after=0):
        form = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 7: "B"}
        packed = []
        for tag, kind, values in sorted(entries, key=lambda x: x[0]):
            if isinstance(values, bytes):
                raw, n = values, len(values)
            else:
                values = values if isinstance(values, (list, tuple)) else [values]
                raw = struct.pack(self.e + form[kind] * len(values), *values)
                n = len(values) // (2 if kind == 5 else 1)
            if len(raw) > 4:
                raw = struct.pack(self.e + "I", self.data(raw))
            packed.append(struct.pack(self.e + "HHI", tag, kind, n) + raw.ljust(4, b"\0"))
        return self.data(struct.pack(self.e + "H", len(packed)) + b"".join(packed) + struct.pack(self.e + "I", after))

    def first(self, at):
        struct.pack_into(self.e + "I", self.out, 4, at)
        return bytes(self.out)


def sensor(w=32, h=24):
    return (np.arange(w * h, dtype=np.uint32) * 2654435761 >> 20).astype("<u2").tobytes()


def jpeg(w=W, h=H, orientation=None, **camera):
    out = io.BytesIO()
    how = {"exif": exif(orientation, **camera)} if orientation else {}
    Image.fromarray(content(w, h)).save(out, "JPEG", quality=85, **how)
    return out.getvalue()


def sensor_directory(t, compression=1, **more):
    at = t.data(sensor())
    entries = [(254, 4, 0), (256, 4, 32), (257, 4, 24), (258, 3, 16), (259, 3, compression), (262, 3, 32803),
               (273, 4, at), (277, 3, 1), (278, 4, 24), (279, 4, 32 * 24 * 2), (284, 3, 1),
               (33421, 3, [2, 2]), (33422, 1, [0, 1, 1, 2])]
    return entries


def dng(orientation, preview=None, bitmap=True, big=False):
    t = Tiff(big)
    subs = [t.directory(sensor_directory(t))]
    if preview is not None:
        w, h = Image.open(io.BytesIO(preview)).size
        subs.append(t.directory([
            (254, 4, 1), (256, 4, w), (257, 4, h), (258, 3, [8, 8, 8]), (259, 3, 7), (262, 3, 6),
            (273, 4, t.data(preview)), (277, 3, 3), (278, 4, h), (279, 4, len(preview)), (284, 3, 1)]))
    first = [(271, 2, b"Akin\0"), (272, 2, b"Akin Test 1\0"), (274, 3, orientation), (50706, 1, [1, 4, 0, 0]),
             (50707, 1, [1, 1, 0, 0]), (50708, 2, b"Akin Test 1\0"), (50778, 3, 21),
             (50721, 10, struct.pack(t.e + "18i", *[v for x in np.eye(3, dtype=int).ravel() for v in (int(x), 1)]))]
    first = [(g, 7 if k == 10 else k, v) for g, k, v in first]
    if bitmap:
        at = t.data(content(24, 16).tobytes())
        first += [(254, 4, 1), (256, 4, 24), (257, 4, 16), (258, 3, [8, 8, 8]), (259, 3, 1), (262, 3, 2),
                  (273, 4, at), (277, 3, 3), (278, 4, 16), (279, 4, 24 * 16 * 3), (284, 3, 1), (330, 4, subs)]
    else:
        first += sensor_directory(t)
    return t.first(t.directory(first))


def camera(make, model, orientation, preview, compression, big):
    """As Nikon and Sony lay out theirs: the sensor and the preview in directories below the first."""
    t = Tiff(big)
    raw = t.directory(sensor_directory(t, compression))
    view = t.directory([(254, 4, 1), (259, 3, 6), (513, 4, t.data(preview)), (514, 4, len(preview))])
    at = t.data(content(24, 16).tobytes())
    return t.first(t.directory([
        (254, 4, 1), (256, 4, 24), (257, 4, 16), (258, 3, [8, 8, 8]), (259, 3, 1), (262, 3, 2), (273, 4, at),
        (277, 3, 3), (278, 4, 16), (279, 4, 24 * 16 * 3), (284, 3, 1), (271, 2, make + b"\0"),
        (272, 2, model + b"\0"), (274, 3, orientation), (330, 4, [view, raw])]))


def cr2(orientation, preview):
    t = Tiff(head=b"II*\0" + struct.pack("<I", 16) + b"CR\2\0" + bytes(4))
    # The sensor's directory is the fourth; a lossless JPEG of which only the header is looked at.
    lossless = bytes.fromhex("ffd8 ffc3 000e 0c 0018 0010 02 01 11 00 02 11 00 ffda 000a 02 01 00 02 00 01 00 00".replace(" ", ""))
    third = t.directory([(256, 4, 32), (257, 4, 24), (259, 3, 6), (273, 4, t.data(lossless + bytes(600))),
                         (279, 4, len(lossless) + 600), (50752, 3, [0, 0, 32])])
    w, h = Image.open(io.BytesIO(preview)).size
    struct.pack_into("<I", t.out, 12, third)
    return t.first(t.directory([
        (256, 3, w), (257, 3, h), (258, 3, [8, 8, 8]), (259, 3, 6), (271, 2, b"Canon\0"), (272, 2, b"Canon EOS 40D\0"),
        (273, 4, t.data(preview)), (274, 3, orientation), (279, 4, len(preview))], third))


def raf(preview):
    """FUJIFILM: a header of its own, a whole camera JPEG with EXIF, a list of tags, a TIFF."""
    head = bytearray(160)
    head[0:16] = b"FUJIFILMCCD-RAW "
    head[16:28] = b"0201FF389501"
    head[28:60] = b"FinePix S100FS".ljust(32, b"\0")
    head[60:64] = b"0100"
    tags = struct.pack(">I", 3)
    for tag, raw in ((0x100, struct.pack(">HH", 24, 32)), (0x121, struct.pack(">HH", 24, 32)), (0x130, b"\0\0\0\0")):
        tags += struct.pack(">HH", tag, len(raw)) + raw
    t = Tiff()
    at = t.data(sensor())
    inner = t.first(t.directory([(0xF001, 4, 32), (0xF002, 4, 24), (0xF003, 4, 16), (0xF007, 4, at), (0xF008, 4, 32 * 24 * 2)]))
    a = len(head)
    b = a + len(preview)
    c = b + len(tags)
    struct.pack_into(">IIIIII", head, 84, a, len(preview), b, len(tags), c, len(inner))
    return bytes(head) + preview + tags + inner


def rw2(preview):
    t = Tiff(head=b"IIU\0" + struct.pack("<I", 24) + bytes(16))
    at = t.data(sensor())
    return t.first(t.directory([
        (1, 7, b"0300"), (2, 3, 36), (3, 3, 28), (4, 3, 2), (5, 3, 2), (6, 3, 26), (7, 3, 34), (9, 3, 1), (10, 3, 12),
        (11, 3, 34316), (0x2E, 7, preview), (271, 2, b"Panasonic\0"), (272, 2, b"DMC-FZ8\0"), (273, 4, at),
        (274, 3, 6), (278, 3, 28), (279, 4, 32 * 24 * 2), (280, 4, at)]))


def raw_files():
    """name, bytes, the preview that is expected (None: there is none), how it is turned"""
    plain, turned = jpeg(), jpeg(orientation=6)
    bitmap = Image.fromarray(content(24, 16))
    yield "dng-jpeg.dng", dng(6, plain), plain, 6
    yield "dng-jpeg-mm.dng", dng(3, plain, big=True), plain, 3
    yield "dng-exif.dng", dng(6, turned), turned, 6
    yield "dng-bitmap.dng", dng(8), bitmap, 8
    yield "dng-none.dng", dng(1, None, bitmap=False), None, 1
    yield "nikon.nef", camera(b"NIKON CORPORATION", b"NIKON D3", 8, plain, 34713, True), plain, 8
    yield "sony.arw", camera(b"SONY", b"ILCE-7", 6, plain, 32767, False), plain, 6
    yield "canon.cr2", cr2(6, plain), plain, 6
    # LibRaw takes the maker from it, and expects EXIF at the start: without the 18 bytes of JFIF.
    full = jpeg(orientation=6, make="FUJIFILM", model="FinePix S100FS")
    full = full[:2] + full[20:]
    yield "fuji.raf", raf(full), full, 6
    yield "panasonic.rw2", rw2(turned), turned, 6


def turn(image, orientation):
    if not image.getexif().get(0x112):
        image.getexif()[0x112] = orientation
    return ImageOps.exif_transpose(image).convert("RGB")


def upright(preview, orientation):
    return turn(preview if isinstance(preview, Image.Image) else Image.open(io.BytesIO(preview)), orientation)


# ----


def main(folder):
    os.makedirs(folder, exist_ok=True)
    pictures = []

    def keep(name, make):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(make())
        with open(path, "rb") as f:
            return f.read()

    def answer(name, image, **facts):
        if image is not None:
            image.save(os.path.join(folder, name + ".png"), "PNG", optimize=True)
        pictures.append({"file": name, **facts})

    for name, make in heif_files():
        data = keep(name, make)
        image = second(name, data)
        facts = {"kind": "avif" if name.endswith("avif") else "heic"}
        if "-420" in name:
            base = name, np.asarray(image, int)
        if "turn" in name: # the answer is that of the picture before it, turned
            orientation = int(name[9])
            want = np.asarray(turn(Image.fromarray(base[1].astype(np.uint8)), orientation), int)
            assert np.abs(np.asarray(image) - want).mean() < 0.1, name
            answer(name, None, **facts, turned=base[0], orientation=orientation)
        else:
            answer(name, image, **facts)
    name = "heic-ios18.heic"
    data = keep(name, lambda: ios18(two_with_alpha()))
    answer(name, second(name, data), kind="heic", ios18=True)

    for name, made, preview, orientation in raw_files():
        data = keep(name, lambda: made)
        image = None
        if preview is not None:
            image = upright(preview, orientation)
        facts = {}
        if image is not None:
            facts = {"width": image.width, "height": image.height, "rgb": fnv_array(np.asarray(image))}
        with rawpy.imread(io.BytesIO(data)) as raw:
            try:
                thumb = raw.extract_thumb()
            except rawpy.LibRawNoThumbnailError:
                assert preview is None, name
            else:
                got = thumb.data if thumb.format == rawpy.ThumbFormat.BITMAP else Image.open(io.BytesIO(thumb.data))
                want = preview if isinstance(preview, Image.Image) else Image.open(io.BytesIO(preview))
                assert np.array_equal(np.asarray(got), np.asarray(want)), name
        answer(name, None, kind="raw", **facts)

    with open(os.path.join(folder, "manifest.json"), "w") as f:
        json.dump({"script": "tools/oracle/heif_raw.py", "pillow": PIL.__version__,
                   "pillow_heif": pillow_heif.__version__, "libheif": pillow_heif.libheif_version(),
                   "rawpy": rawpy.__version__, "libraw": list(rawpy.libraw_version), "pictures": pictures}, f, indent=1)
        f.write("\n")


main(sys.argv[1])
