"""The objects that scenes are made of: artwork of the emoji in objects.tsv, in several styles, what
of it has one main colour. Styles: those of the training set only (never openmoji's)."""

import json
import os
import re

import numpy as np
from PIL import Image

import drawing
import recolour

HERE = os.path.dirname(os.path.abspath(__file__))
STYLES = {"noto": "Apache-2.0", "twemoji": "CC-BY-4.0", "fluent-emoji-flat": "MIT",
          "noto-v1": "Apache-2.0"}
SIDE = 128
# Artwork whose main colour is not the thing's (a belly, a blanket, the margin of a wing).
SKIP = {("frog", "fluent-emoji-flat"), ("frog", "fluent-3d"), ("bed", "noto"), ("bed", "twemoji"),
        ("butterfly", "fluent-emoji-flat"), ("butterfly", "fluent-3d"), ("penguin", "noto"),
        ("duck", "fluent-3d"), ("duck", "twemoji"), ("owl", "fluent-3d"), ("train", "fluent-3d")}
NOT_IN = {0xFE0F, 0x200D}
# Where a set calls an emoji otherwise than CLDR.
OTHER_NAMES = {"✈": "airplane", "☂": "umbrella", "🛵": "motor-scooter", "🚂": "locomotive"}


class Object:
    """One row of objects.tsv with its artwork: [(style, picture, mask)]."""

    def __init__(self, line):
        (self.emoji, self.kind, self.en, self.measure, self.zh, self.ja, self.de, self.fr,
         self.es) = line.rstrip("\n").split("\t")
        self.code = "-".join(f"{ord(c):x}" for c in self.emoji if ord(c) not in NOT_IN)
        self.art = []

    def __repr__(self):
        return self.en


def table():
    with open(os.path.join(HERE, "objects.tsv"), encoding="utf-8") as file:
        return [Object(line) for line in file if line.strip() and line[0] != "#"]


def svg_of(icons, name):
    aliases = icons.get("aliases", {})
    name = aliases.get(name, {}).get("parent", name)
    icon = icons["icons"].get(name)
    if icon is None:
        return None
    width, height = (icon.get(k, icons.get(k, 16)) for k in ("width", "height"))
    left, top = icon.get("left", 0), icon.get("top", 0)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">'
            f'{icon["body"]}</svg>')


def add_art(thing, style, picture):
    picture = drawing.trimmed(picture, 0)
    if picture is None or (thing.en, style) in SKIP:
        return
    # An opaque ground behind the drawing is no object.
    alpha = np.asarray(picture)[..., 3]
    if (alpha > 128).mean() > 0.97 and style in ("clipart", "furniture"):
        return
    mask, share = recolour.main_part(picture)
    if mask is not None and share >= recolour.LEAST:
        thing.art.append((style, picture, mask.astype(np.float32)))


def load(packages, options, things=None):
    """The objects with their artwork, those that have some."""
    things = things or table()
    names = json_file(packages.folder("cldr-annotations-full"), "annotations/en/annotations.json")
    names = names["annotations"]["annotations"]
    jobs = []
    for style in STYLES:
        icons = json_file(packages.folder("@iconify/json"), f"json/{style}.json")
        for thing in things:
            known = names.get(thing.emoji) or names.get(thing.emoji + "\ufe0f") or {}
            for name in (*known.get("tts", []), OTHER_NAMES.get(thing.emoji, ""), thing.en):
                slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
                svg = svg_of(icons, slug) if slug else None
                if svg:
                    jobs.append((thing, style, svg))
                    break
    for (thing, style, _), path in zip(jobs, options.render([svg for *_, svg in jobs], SIDE)):
        if path:
            add_art(thing, style, Image.open(path).convert("RGBA"))
    by_code = {thing.code: thing for thing in things}
    add_three_d(packages, by_code)
    return [thing for thing in things if thing.art]


def add_three_d(packages, by_code):
    root = packages.folder("@lobehub/fluent-emoji-3d")
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            stem, end = os.path.splitext(name)
            code = "-".join(c for c in stem.lower().split("-") if c not in ("fe0f", "200d"))
            if end == ".webp" and code in by_code:
                picture = Image.open(os.path.join(folder, name)).convert("RGBA")
                picture.thumbnail((SIDE, SIDE), Image.LANCZOS)
                add_art(by_code[code], "fluent-3d", picture)


def json_file(folder, name):
    path = os.path.join(folder, name)
    with open(path, encoding="utf-8") as file:
        return json.load(file)
