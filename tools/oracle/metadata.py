"""Makes tests/golden/metadata: small pictures with EXIF and XMP in every container, and what exiftool
reads in them.

    python tools/oracle/metadata.py tests/golden/metadata

Needs Pillow 13.0.0 (writes EXIF and most containers), pillow_heif 1.8.1 (HEIC) and exiftool 12.57, the
second reader. `exiftool.json` is its answer as it gave it, for the tags asked for; `expected.txt` is
the same in the form of akin's fields: which tag comes first is written down here once more, apart from
akin's code. Pictures are kept when they exist (other encoders write other bytes), the answers are
always made anew.
"""
import datetime
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys

import PIL
import pillow_heif
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

EXIF_IFD, GPS_IFD = 0x8769, 0x8825

# ---- what is written


def rational(x):
    """Degrees, minutes, seconds with a thousandth."""
    x = abs(x)
    d = int(x)
    m = int((x - d) * 60)
    s = round(((x - d) * 60 - m) * 60000)
    return (IFDRational(d, 1), IFDRational(m, 1), IFDRational(s, 1000))


def exif(main=(), fields=(), place=None, big=False):
    e = Image.Exif()
    e.endian = ">" if big else "<"
    for tag, value in main:
        e[tag] = value
    for tag, value in fields:
        e.get_ifd(EXIF_IFD)[tag] = value
    if place:
        lat, lon = place
        gps = e.get_ifd(GPS_IFD)
        gps[1], gps[2] = "N" if lat >= 0 else "S", rational(lat)
        gps[3], gps[4] = "E" if lon >= 0 else "W", rational(lon)
    return e


ZURICH, LIMA, SYDNEY, DENVER = (47.37689, 8.54169), (-12.04637, -77.04279), (-33.85678, 151.21530), (39.73924, -104.99025)


def full(place, big=False, words="Grüße vom See"):
    return exif(
        [(271, "Canon"), (272, "Canon EOS R5")] + ([(270, words.encode())] if words else []),
        [(0x9003, "2023:06:15 14:03:22"), (0x9011, "+02:00"), (0x9004, "2023:06:16 00:00:00"), (0x9291, "42")],
        place,
        big,
    )


def packet(body, attributes="", head=""):
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n' + head +
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        'xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
        'xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" '
        'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" ' + attributes + ">" + body +
        "</rdf:Description></rdf:RDF></x:xmpmeta>\n" + " " * 64 + '\n<?xpacket end="w"?>'
    ).encode()


def alt(name, *texts):
    items = "".join(f'<rdf:li xml:lang="{lang}">{text}</rdf:li>' for lang, text in texts)
    return f"<{name}><rdf:Alt>{items}</rdf:Alt></{name}>"


def bag(name, *texts, kind="Bag"):
    return f"<{name}><rdf:{kind}>" + "".join(f"<rdf:li>{t}</rdf:li>" for t in texts) + f"</rdf:{kind}></{name}>"


def words():
    return packet(
        alt("dc:title", ("x-default", "Am See"))
        + alt("dc:description", ("de", "Zwei Boote"), ("x-default", "Two boats &amp; a dog"))
        + bag("dc:subject", "lake", "Zürich", "湖", "lake")
        + bag("lr:hierarchicalSubject", "Places|Europe|Switzerland", "Places|Europe|Zürich", "lake")
    )


def elements():
    """Everything as elements, other prefixes than usual, a structure whose members are not ours, and a
    list where there is usually one."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><!-- by hand -->'
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="http://purl.org/dc/elements/1.1/" '
        'xmlns:b="http://ns.adobe.com/exif/1.0/" xmlns:c="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://ns.adobe.com/xap/1.0/mm/" '
        'xmlns:d="http://ns.adobe.com/xap/1.0/">'
        '<r:Description r:about="">'
        "<dc:DerivedFrom><r:Description><d:CreateDate>1999-01-01T00:00:00</d:CreateDate></r:Description></dc:DerivedFrom>"
        "<b:DateTimeOriginal>2011-03-04T05:06:07.89-05:00</b:DateTimeOriginal>"
        "<c:Make>NIKON CORPORATION</c:Make><c:Model>NIKON D850</c:Model>"
        "<b:GPSLatitude>39,44.3544N</b:GPSLatitude><b:GPSLongitude>104,59,24.9W</b:GPSLongitude>"
        '</r:Description><r:Description r:about=""><a:description><r:Alt><r:li xml:lang="fr">Des montagnes</r:li>'
        '<r:li xml:lang="en">Mountains</r:li></r:Alt></a:description>'
        '<a:subject><r:Seq><r:li>mountain</r:li><r:li> snow </r:li></r:Seq></a:subject>'
        "</r:Description></r:RDF>"
    ).encode()


def attributes(date='photoshop:DateCreated="2005-08-09T10:11:12"'):
    return packet("", date + ' tiff:Make="OLYMPUS IMAGING CORP." tiff:Model="E-M10" exif:GPSLatitude="33,51.4068S" exif:GPSLongitude="151,12.918E"')


# ---- containers

RGB = Image.frombytes("RGB", (8, 8), bytes((x * 3) % 256 for x in range(192)))


def save(kind, e=None, xmp=None, **how):
    out = io.BytesIO()
    if e is not None:
        how["exif"] = e
    if xmp is not None:
        how["xmp"] = xmp
    RGB.save(out, kind, **how)
    return out.getvalue()


def png(e=None, *texts):
    info = PngImagePlugin.PngInfo()
    for add, *arguments in texts:
        getattr(info, add)(*arguments)
    out = io.BytesIO()
    RGB.save(out, "PNG", pnginfo=info, **({"exif": e} if e is not None else {}))
    return out.getvalue()


def hexadecimal(name, data):
    digits = data.hex()
    lines = [digits[i : i + 72] for i in range(0, len(digits), 72)]
    return f"\n{name}\n{len(data):8}\n" + "\n".join(lines) + "\n"


def tiff(e, xmp=None):
    """As bytes: of an Exif object Pillow writes the first directory alone."""
    if xmp:
        e[700] = xmp
    return save("TIFF", e.tobytes())


def heic(e=None, xmp=None):
    out = io.BytesIO()
    big = RGB.resize((64, 64))
    how = {"quality": 30}
    if e is not None:
        how["exif"] = e.tobytes()
    if xmp is not None:
        how["xmp"] = xmp
    pillow_heif.from_pillow(big).save(out, **how)
    return out.getvalue()


def app1(jpeg, payload):
    """One more segment, behind the SOI."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def extended():
    more = packet(bag("dc:subject", "far", "away")).split(b"?>\n", 1)[1].rsplit(b"\n", 2)[0]
    guid = hashlib.md5(more).hexdigest().upper().encode()
    main = packet(alt("dc:title", ("x-default", "Long")), f'xmpNote:HasExtendedXMP="{guid.decode()}"')
    jpeg = save("JPEG")
    head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">I", len(more))
    half = len(more) // 2
    for at, part in ((half, more[half:]), (0, more[:half])):
        jpeg = app1(jpeg, head + struct.pack(">I", at) + part)
    return app1(jpeg, b"http://ns.adobe.com/xap/1.0/\0" + main)


def block(e):
    return e.tobytes().removeprefix(b"Exif\0\0")


def box(name, *payload):
    data = b"".join(payload)
    return struct.pack(">I", len(data) + 8) + name + data


def cr3():
    """Canon's boxes, each a TIFF block of one directory: those of the EXIF and GPS directories are
    first directories here, which Pillow cannot write, so that they are put together by hand."""

    def directory(entries):
        out, data = struct.pack("<H", len(entries)), b""
        start = 8 + 2 + 12 * len(entries) + 4
        for tag, kind, count, value in entries:
            if len(value) > 4:
                out += struct.pack("<HHII", tag, kind, count, start + len(data))
                data += value + bytes(len(value) % 2)
            else:
                out += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
        return b"II*\0" + struct.pack("<I", 8) + out + bytes(4) + data

    def ascii(tag, text):
        return tag, 2, len(text) + 1, text.encode() + b"\0"

    first = directory([ascii(271, "Canon"), ascii(272, "Canon EOS R6")])
    fields = directory([ascii(0x9003, "2021:12:31 23:59:58"), ascii(0x9011, "+09:00")])
    gps = directory([ascii(1, "N"), (2, 5, 3, struct.pack("<6I", 35, 1, 41, 1, 2222, 100)), ascii(3, "E"), (4, 5, 3, struct.pack("<6I", 139, 1, 41, 1, 301, 10))])
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    adobe = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    return (
        box(b"ftyp", b"crx \0\0\0\1crx isom")
        + box(b"moov", box(b"uuid", canon, box(b"CNCV", b"CanonCR3_001/00.09.00/00.00.00"), box(b"CMT1", first), box(b"CMT2", fields), box(b"CMT4", gps)))
        + box(b"uuid", adobe, packet(bag("dc:subject", "tower")))
        + box(b"mdat", bytes(16))
    )


def raf():
    jpeg = save("JPEG", exif([(271, "FUJIFILM"), (272, "X-T3")], [(0x9003, "2019:02:28 08:00:01")]))
    head = b"FUJIFILMCCD-RAW 0201FF389501" + b"X-T3".ljust(32, b"\0") + b"0100" + bytes(20)
    return head + struct.pack(">II", 108, len(jpeg)) + bytes(16) + jpeg


def magic(data, four):
    return four + data[4:]


def files():
    yield "jpeg-full.jpg", lambda: save("JPEG", full(ZURICH), words())
    yield "jpeg-exif.jpg", lambda: save("JPEG", full(LIMA))
    yield "jpeg-exif-mm.jpg", lambda: save("JPEG", full(SYDNEY, big=True))
    yield "jpeg-xmp.jpg", lambda: save("JPEG", xmp=elements())
    yield "jpeg-attributes.jpg", lambda: save("JPEG", xmp=attributes())
    yield "jpeg-extended.jpg", extended
    yield "jpeg-digitized.jpg", lambda: save("JPEG", exif([(306, "2024:01:01 00:00:00")], [(0x9004, "1998:02:03 04:05:06"), (0x9012, "-03:30")]))
    yield "jpeg-changed.jpg", lambda: save("JPEG", exif([(306, "2024:01:01 00:00:00")]))
    yield "jpeg-created.jpg", lambda: save("JPEG", xmp=attributes('xmp:CreateDate="2007-05-06T07:08:09Z" xmp:ModifyDate="2020-01-01T00:00:00"'))
    yield "jpeg-zero-date.jpg", lambda: save("JPEG", exif([], [(0x9003, "0000:00:00 00:00:00")]), attributes())
    yield "jpeg-february.jpg", lambda: save("JPEG", exif([], [(0x9003, "2023:02:29 10:00:00"), (0x9004, "2024:02:29 10:00:00")]))
    yield "jpeg-olympus.jpg", lambda: save("JPEG", exif([(270, "OLYMPUS DIGITAL CAMERA         "), (271, "OLYMPUS IMAGING CORP.  "), (272, "E-M10           ")]))
    yield "jpeg-nikon.jpg", lambda: save("JPEG", exif([(271, "NIKON CORPORATION"), (272, "NIKON D850")]))
    yield "jpeg-latin1.jpg", lambda: save("JPEG", exif([(270, "Café Zürich".encode("latin-1"))]))
    yield "jpeg-utf8.jpg", lambda: save("JPEG", exif([(270, "東京タワー 🗼".encode())]))
    yield "jpeg-xp.jpg", lambda: save("JPEG", exif([(0x9C9B, "Ein Titel\0".encode("utf-16-le")), (0x9C9C, "Eine Notiz\0".encode("utf-16-le")), (0x9C9E, "eins;zwei drei;eins\0".encode("utf-16-le"))]))
    yield "jpeg-comment.jpg", lambda: save("JPEG", exif([], [(0x9286, b"ASCII\0\0\0a plain comment")]))
    yield "jpeg-comment16.jpg", lambda: save("JPEG", exif([], [(0x9286, b"UNICODE\0" + "ein 猫 comment".encode("utf-16-le"))]))
    yield "png-full.png", lambda: png(full(DENVER), ("add_itxt", "XML:com.adobe.xmp", words().decode()))
    yield "png-xmp-deflated.png", lambda: png(None, ("add_itxt", "XML:com.adobe.xmp", elements().decode(), "", "", True))
    yield "png-profile.png", lambda: png(None, ("add_text", "Raw profile type exif", hexadecimal("exif", full(SYDNEY).tobytes()), True))
    yield "png-profile-xmp.png", lambda: png(None, ("add_text", "Raw profile type xmp", hexadecimal("xmp", words()), True))
    yield "webp-full.webp", lambda: save("WEBP", full(SYDNEY, words=None), words())
    yield "webp-xmp.webp", lambda: save("WEBP", None, attributes(), lossless=True)
    yield "tiff-full.tif", lambda: tiff(full(LIMA), words())
    yield "tiff-exif-mm.tif", lambda: tiff(full(DENVER, big=True, words="Rocky Mountains"))
    yield "heic-full.heic", lambda: heic(full(LIMA), words())
    yield "heic-xmp.heic", lambda: heic(None, elements())
    yield "avif-full.avif", lambda: save("AVIF", full(DENVER), words())
    yield "cr3-full.cr3", cr3
    yield "raf-exif.raf", raf
    yield "orf-exif.orf", lambda: magic(block(full(ZURICH)), b"IIRO")
    yield "rw2-exif.rw2", lambda: magic(block(full(ZURICH, words=None)), b"IIU\0")


# ---- what exiftool reads

TAGS = """IFD0:Make IFD0:Model IFD0:ImageDescription IFD0:XPTitle IFD0:XPComment IFD0:XPKeywords
ExifIFD:DateTimeOriginal ExifIFD:CreateDate ExifIFD:OffsetTimeOriginal ExifIFD:OffsetTimeDigitized
ExifIFD:UserComment XMP-dc:Title XMP-dc:Description XMP-dc:Subject XMP-lr:HierarchicalSubject
XMP-exif:DateTimeOriginal XMP-photoshop:DateCreated XMP-xmp:CreateDate XMP-tiff:Make XMP-tiff:Model
XMP-exif:GPSLatitude XMP-exif:GPSLongitude GPS:GPSLatitude GPS:GPSLatitudeRef GPS:GPSLongitude
GPS:GPSLongitudeRef""".split()


def exiftool(path, *options):
    asked = ["-" + t for t in TAGS] + ["-XMP-dc:Description-de", "-XMP-dc:Description-fr", "-XMP-dc:Description-en"]
    text = subprocess.run(["exiftool", "-json", "-n", "-G1", *options, *asked, path], check=True, capture_output=True).stdout
    answer = json.loads(text)[0]
    answer["SourceFile"] = os.path.basename(path)
    return answer


JUNK = ["OLYMPUS DIGITAL CAMERA"]


def when(text):
    """(wall clock, offset) of exiftool's date; None when it does not exist."""
    m = re.fullmatch(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[-+]\d\d:\d\d)?", str(text or ""))
    if not m:
        return None
    try:
        date = datetime.datetime(*map(int, m.groups()[:6]))
    except ValueError:
        return None
    return date.isoformat(), (m[7] or "").replace("Z", "+00:00")


def as_list(value):
    return [] if value is None else [str(v) for v in value] if isinstance(value, list) else [str(value)]


def fields(a):
    out = []
    taken = when(a.get("ExifIFD:DateTimeOriginal"))
    zone = a.get("ExifIFD:OffsetTimeOriginal")
    if not taken:
        taken, zone = when(a.get("ExifIFD:CreateDate")), a.get("ExifIFD:OffsetTimeDigitized")
    if taken and zone:
        taken = taken[0], zone
    for tag in ("XMP-exif:DateTimeOriginal", "XMP-photoshop:DateCreated", "XMP-xmp:CreateDate"):
        taken = taken or when(a.get(tag))
    if taken:
        out.append(("taken_at", taken[0]))
        if taken[1]:
            out.append(("offset", taken[1]))
    make = a.get("IFD0:Make") or (None if a.get("IFD0:Model") else a.get("XMP-tiff:Make"))
    model = a.get("IFD0:Model") or (None if a.get("IFD0:Make") else a.get("XMP-tiff:Model"))
    make, model = (make or "").strip(), (model or "").strip()
    if make and model and make.split()[0].lower() == model.split()[0].lower():
        make = ""
    if make or model:
        out.append(("camera", (make + " " + model).strip()))
    lat, lon = a.get("GPS:GPSLatitude"), a.get("GPS:GPSLongitude")
    if lat is not None and lon is not None:
        lat *= -1 if a["GPS:GPSLatitudeRef"] == "S" else 1
        lon *= -1 if a["GPS:GPSLongitudeRef"] == "W" else 1
    else:
        lat, lon = a.get("XMP-exif:GPSLatitude"), a.get("XMP-exif:GPSLongitude")
    if lat is not None and lon is not None:
        out.append(("latitude", repr(lat)))
        out.append(("longitude", repr(lon)))
    title = a.get("XMP-dc:Title") or a.get("IFD0:XPTitle")
    if title:
        out.append(("title", json.dumps(str(title), ensure_ascii=False)))
    described = [a.get(t) for t in ("XMP-dc:Description", "XMP-dc:Description-fr", "IFD0:ImageDescription", "IFD0:XPComment", "ExifIFD:UserComment")]
    described = [str(d).strip() for d in described if d and str(d).strip() not in JUNK]
    if described:
        out.append(("caption", json.dumps(described[0], ensure_ascii=False)))
    tags = as_list(a.get("XMP-dc:Subject")) + [t.split("|")[-1] for t in as_list(a.get("XMP-lr:HierarchicalSubject"))]
    tags += (a.get("IFD0:XPKeywords") or "").split(";")
    for tag in dict.fromkeys(t.strip() for t in tags if t.strip()):
        out.append(("tag", json.dumps(tag, ensure_ascii=False)))
    return out


def main(folder):
    os.makedirs(folder, exist_ok=True)
    versions = {"Pillow": PIL.__version__, "pillow_heif": pillow_heif.__version__}
    versions["exiftool"] = subprocess.run(["exiftool", "-ver"], check=True, capture_output=True, text=True).stdout.strip()
    wanted = {"Pillow": "13.0.0", "pillow_heif": "1.8.1", "exiftool": "12.57"}
    if versions != wanted:
        sys.exit(f"needs {wanted}, found {versions}")
    answers, lines, sizes = [], [], {}
    for name, make in files():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            data = make()
            with open(path, "wb") as f:
                f.write(data)
        sizes[name] = os.path.getsize(path)
        a = exiftool(path, *(["-charset", "exif=latin"] if "latin1" in name else []))
        answers.append(a)
        lines.append(f"file {name}")
        lines += [f"{key} {value}" for key, value in fields(a)]
    with open(os.path.join(folder, "exiftool.json"), "w") as f:
        json.dump(answers, f, indent=1, ensure_ascii=False)
        f.write("\n")
    with open(os.path.join(folder, "expected.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")
    manifest = {"script": "tools/oracle/metadata.py", "versions": versions, "bytes": sizes}
    with open(os.path.join(folder, "manifest.json"), "w") as f:
        json.dump(manifest, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
