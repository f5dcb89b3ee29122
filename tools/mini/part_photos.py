"""Part G: photographs of Debian's gcompris-qt-data, only those its READMEs put in the public domain
or under CC0. Texts are the files' and folders' own names in English, never the GPL translations.

The pictures lie in Qt resource files (.rcc). Only what is needed of that format is read: version 3,
stored or zlib data; every offset is checked against the file.
"""

import io
import os
import re
import struct
import zlib

import numpy as np
from PIL import Image

import drawing

PACKAGE = "gcompris-qt-data"
LIMIT = 64 << 20   # bytes of one unpacked file
NODES = 100_000    # nodes of one tree
FREE = re.compile(r"(?i)(public domain|pd\b|cc-?0|cc zero)")
# What a folder's pictures are, where its name says it ('': nothing to say).
FOLDERS = {"fishes": "fish", "tools": "tool", "monuments": "monument", "animals": "animal",
           "wonders": "wonder of the world", "renewable": "renewable energy", "egypt": "Egypt",
           "france": "France", "germany": "Germany", "india": "India", "usa": "USA",
           "solar_system": "planet"}
# Files whose names are short for something, or misspelt.
NAMES = {
    "solar": "solar panel", "turbine": "wind turbine", "wind": "wind turbine", "plier": "pliers",
    "nail Cutter": "nail clipper", "weighing Machine": "weighing scale", "sea": "under the sea",
    "blackslate": "blackboard", "buffetset": "cup and saucer", "screw Driver": "screwdriver",
    "bulb": "light bulb", "tweezer": "tweezers", "geothermal": "geothermal spring",
    "Eglise d Auvers sur Oise background": "painting of a church", "discus": "discus fish",
    "great Wallof China": "Great Wall of China", "palaisdes Papes": "Palais des Papes",
    "gatewayof India": "Gateway of India", "citede Carcassonne": "Cité de Carcassonne",
    "chateaude Chenonceau": "Château de Chenonceau", "mont St Michel": "Mont Saint-Michel",
    "castillode San Marcos": "Castillo de San Marcos", "us Capitol": "US Capitol",
    "middleeast": "lute", "zimni Palace": "Winter Palace", "navajo": "cliff dwelling",
    "africa": "african musicians", "italy": "lute", "mexico": "mexican musicians",
    "ireland": "irish musicians",
}


def unpack(data):
    """(path, bytes) of the files in one .rcc."""
    magic, version, tree, contents, names = struct.unpack_from(">4s4I", data)
    if magic != b"qres" or version not in (1, 2, 3):
        raise ValueError("not a Qt resource file")
    step = 14 if version < 2 else 22
    seen = 0

    def piece(start, size):
        if size < 0 or start + size > len(data):
            raise ValueError("offset beyond the end")
        return data[start:start + size]

    def walk(node, path, depth):
        nonlocal seen
        seen += 1
        if seen > NODES or depth > 40:
            raise ValueError("tree too large")
        name, flags = struct.unpack_from(">IH", data, tree + node * step)
        if node:
            length, = struct.unpack_from(">H", data, names + name)
            path += "/" + piece(names + name + 6, 2 * length).decode("utf-16-be")
        if flags & 2:
            count, first = struct.unpack_from(">II", data, tree + node * step + 6)
            if first <= node or count > NODES:
                raise ValueError("tree runs backwards")
            for child in range(first, first + count):
                yield from walk(child, path, depth + 1)
            return
        offset, = struct.unpack_from(">I", data, tree + node * step + 10)
        size, = struct.unpack_from(">I", data, contents + offset)
        raw = piece(contents + offset + 4, size)
        if flags & 1:
            unzip = zlib.decompressobj()
            raw = unzip.decompress(raw[4:], LIMIT)
        elif flags & 4:
            return  # zstd: none in the package
        yield path, raw

    yield from walk(0, "", 0)


def credits(text):
    """(file, {field: value}) of a README: blocks of fields, then the files they speak of."""
    about = {}
    for line in text.splitlines():
        match = re.match(r"\s*(Copyright|Source|License|Files?)\b[^:]*:\s*(.*)", line)
        if match and match.group(1) == "Copyright":
            about = {"Copyright": match.group(2)}
        elif match and match.group(1).startswith("File"):
            about["files"] = True
            if match.group(2):
                yield match.group(2).strip(), dict(about)
        elif match:
            about[match.group(1)] = match.group(2)
        elif line.strip() and "files" in about:
            yield line.strip(), dict(about)


def subject(name):
    """'leaningTowerOfPisa.webp' -> 'Leaning Tower of Pisa'; 'fish22' -> 'fish'."""
    stem = re.sub(r"\d+$", "", os.path.splitext(name)[0]).strip("_- ")
    words = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", stem).split())
    if words in NAMES:
        return NAMES[words]
    if words == words.lower():
        return words
    if words.lower() in ("measuring tape", "side cutter", "cutting tool"):
        return words.lower()
    return words[0].upper() + words[1:].replace(" Of ", " of ")


def photos(folder):
    """Yields (key, picture, name, folder name, about) of the free photographs."""
    for root, _, names in sorted(os.walk(folder)):
        for file in sorted(names):
            if not file.endswith(".rcc"):
                continue
            with open(os.path.join(root, file), "rb") as handle:
                files = dict(unpack(handle.read()))
            for readme in sorted(p for p in files if os.path.basename(p).startswith("README")):
                base = os.path.dirname(readme)
                for name, about in credits(files[readme].decode("utf-8", "replace")):
                    path = f"{base}/{name}"
                    if path not in files or not FREE.match(about.get("License", "")):
                        continue
                    if not re.search(r"\.(webp|jpe?g|png)$", path):
                        continue
                    try:
                        picture = Image.open(io.BytesIO(files[path]))
                        if min(picture.size) < 100:
                            continue
                        picture = picture.convert("RGBA")
                    except (OSError, ValueError):
                        continue
                    picture.thumbnail((320, 320), Image.LANCZOS)
                    small = picture.convert("RGB").resize((64, 64))
                    if len(np.unique(np.asarray(small).reshape(-1, 3), axis=0)) < 700:
                        continue  # a drawing
                    yield (f"{file[:-4]}-{path.split('/resource/')[-1]}", picture,
                           os.path.basename(path), os.path.basename(os.path.dirname(path)), about)


def build(packages, out, add, options):
    seen, done = drawing.Seen(2.0), set()
    for key, picture, name, folder, about in photos(packages.folder(PACKAGE)):
        if key in done or seen.before(picture):
            continue
        done.add(key)
        title = subject(name)
        texts = [("en", title, 2.0), ("en", f"a photo of {title}", 1.0)]
        group = FOLDERS.get(folder, "")
        if group and group != title:
            texts.append(("en", f"{title}, {group}", 0.5))
        concept = packages.emoji_concept(title.lower()) or "photo:" + title.lower()
        add(picture, re.sub(r"[^\w-]+", "-", os.path.splitext(key)[0]), concept, texts, weight=1.0,
            kind="photo", licence="CC0-1.0" if "0" in about["License"] else "public domain",
            author=about.get("Copyright", ""),
            source=about.get("Source") or f"{PACKAGE} {key}")
