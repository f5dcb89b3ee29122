"""Part J: scenes of one to three objects in named colours, on plain ground, in a drawn place or in
front of a photograph, with sentences that name them.

Concepts: "scene:CODE=COLOUR[+CODE=COLOUR...][@PLACE]", with the emoji's code points (heldout.py),
so that a split can tell which objects a scene shows; '<' instead of '+' where the first is left of
the second, '^' where it is above (those pictures are never flipped). Combinations that E11 hides
are never drawn and never named. Nothing depends on what other parts have drawn.
"""

import io

import numpy as np
from PIL import Image, ImageFilter

import art
import drawing
import heldout
import part_furniture
import part_photos
import places
import recolour
import sentences

SIDE = 96
COUNT = 30_000
# The kinds of pictures, in percent: one thing on plain ground, in a place, before a photograph; two
# or three on plain ground, in a place; two with their sides named.
MIX = (("plain", 27), ("place", 43), ("photo", 4), ("many", 5), ("many place", 13), ("sides", 8))


def coloured(r, thing, colour, height):
    """The thing in its colour, `height` pixels on its longer side, some mirrored and tilted."""
    style, picture, mask = r.choice(thing.art)
    tone = r.choice(recolour.COLOURS[colour])
    tone = tuple(max(0, min(255, c + r.randint(-8, 8))) for c in tone)
    painted = recolour.paint(picture, mask, tone, r.uniform(0.6, 0.9))
    if r.random() < 0.5:
        painted = painted.transpose(Image.FLIP_LEFT_RIGHT)
    if r.random() < 0.3:
        painted = painted.convert("RGBa").rotate(r.uniform(-12, 12), Image.BICUBIC, expand=True)
        painted = painted.convert("RGBA")
        painted = painted.crop(painted.getchannel("A").getbbox())
    scale = height / max(painted.size)
    size = tuple(max(3, round(n * scale)) for n in painted.size)
    return painted.convert("RGBa").resize(size, Image.LANCZOS).convert("RGBA")


def paste(ground, piece, x, y, shadow):
    """Puts a piece with its middle at x and its foot at y, with a rim where it would drown."""
    left, top = round(x - piece.width / 2), round(y - piece.height)
    left = max(-2, min(left, ground.width - piece.width + 2))
    top = max(-2, min(top, ground.height - piece.height + 2))
    alpha = piece.getchannel("A")
    if shadow:
        wide, flat = piece.width * 0.46, max(2, piece.height * 0.06)
        rows, columns = np.mgrid[:ground.height, :ground.width].astype(np.float32)
        spot = ((columns - left - piece.width / 2) / wide) ** 2
        spot = spot + ((rows - top - piece.height + flat * 0.5) / (flat * 1.6)) ** 2
        dark = np.clip(1.15 - spot, 0, 1)[..., None] * 0.35
        ground.paste(Image.fromarray((np.asarray(ground) * (1 - dark)).astype(np.uint8)))
    box = (max(left, 0), max(top, 0), min(left + piece.width, ground.width),
           min(top + piece.height, ground.height))
    behind = np.asarray(ground.crop(box), np.float32).mean(axis=(0, 1))
    solid = np.asarray(piece)[np.asarray(alpha) > 128][:, :3]
    own = solid.mean(axis=0) if len(solid) else behind
    if np.abs(own - behind).mean() < 42:
        rim = (245, 245, 245) if behind.mean() < 140 else (60, 60, 66)
        wide = Image.new("L", (piece.width + 4, piece.height + 4))
        wide.paste(alpha, (2, 2))
        wide = wide.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.GaussianBlur(0.6))
        ground.paste(rim, (left - 2, top - 2), wide)
    ground.paste(piece, (left, top), piece)


def compose(r, pairs, place=None, side=None, photo=None):
    """(picture, names): things in colours at a place (None: plain ground or `photo`)."""
    if place:
        drawn = places.place(place, r)
        ground, foot, free = drawn.picture, drawn.ground, drawn.free
    else:
        ground = photo.copy() if photo else places.plain(r)
        foot, free = r.uniform(0.8, 0.95), True
    count = len(pairs)
    pieces = []
    for k, (thing, colour) in enumerate(pairs):
        if count == 1:
            height = SIDE * (r.uniform(0.45, 0.72) if place else r.uniform(0.55, 0.92))
        else:
            height = SIDE * (r.uniform(0.38, 0.5) if count == 2 else r.uniform(0.3, 0.38))
        pieces.append(coloured(r, thing, colour, height))
    if side == "above":
        for (piece, y) in zip(pieces, (0.5, 0.97)):
            paste(ground, piece, SIDE * r.uniform(0.35, 0.65), SIDE * (y - r.uniform(0, 0.03)),
                  False)
        return ground, pairs
    slots = [(k + 0.5) / count for k in range(count)]
    if side is None:
        r.shuffle(slots)
    for piece, slot in zip(pieces, slots):
        if count == 1:
            x = SIDE * r.uniform(0.34, 0.66)
        else:
            x = SIDE * (slot + r.uniform(-0.03, 0.03))
        if free:
            middle = r.uniform(0.42, 0.62) if count == 1 else r.uniform(0.4, 0.7)
            paste(ground, piece, x, SIDE * middle + piece.height / 2, False)
        else:
            paste(ground, piece, x, SIDE * (foot + r.uniform(-0.03, 0.04)), place != "sea")
    return ground, pairs


def furniture_art(packages, things):
    """Renders of part F that are one of the objects, by their English name."""
    by_name = {t.en: t for t in things}
    other = {"double bed": "bed", "single bed": "bed", "armchair": "", "pot": "", "couch": "sofa",
             "peugeot 308 cc": "car", "truck": "truck", "wooden chair": "chair"}

    def add(picture, name, concept, texts, **_):
        english = texts[0][1]
        thing = by_name.get(other.get(english, english))
        if thing and sum(style == "furniture" for style, *_ in thing.art) < 4:
            picture = picture.copy()
            picture.thumbnail((art.SIDE, art.SIDE), Image.LANCZOS)
            art.add_art(thing, "furniture", picture)

    part_furniture.build(packages, None, add, None)


def combination(r, things, place, colours, taken=()):
    """A thing and a colour that may be shown at the place."""
    while True:
        thing = r.choice(things)
        colour = r.choice(colours)
        if thing not in taken and heldout.allowed(thing, colour, place):
            return thing, colour


def name_of(pairs, place, side):
    mark = {"left": "<", "above": "^"}.get(side, "+")
    parts = [f"{t.code}={c}" for t, c in pairs]
    if side is None:
        parts.sort()
    return "scene:" + mark.join(parts) + (f"@{place}" if place else "")


def build(packages, out, add, options):
    things = art.load(packages, options)
    furniture_art(packages, things)
    colours = list(recolour.COLOURS)
    photos = []
    for _, picture, *_ in part_photos.photos(packages.folder(part_photos.PACKAGE)):
        if picture.getchannel("A").getextrema()[0] == 255:
            photos.append(picture.convert("RGB"))
    count = getattr(options, "scenes", None) or COUNT
    kinds = [kind for kind, share in MIX for _ in range(share)]
    licence = "own"
    for number in range(count):
        r = drawing.rng("scene", number)
        kind = kinds[number * 37 % 100]
        place = r.choice(places.NAMES) if "place" in kind else None
        if kind == "sides" and r.random() < 0.6:
            place = r.choice(places.NAMES)
        side = r.choice(["left", "left", "above"]) if kind == "sides" else None
        photo = None
        if kind == "photo":
            photo = r.choice(photos)
            edge = r.uniform(0.6, 1) * min(photo.size)
            x, y = r.uniform(0, photo.width - edge), r.uniform(0, photo.height - edge)
            photo = photo.resize((SIDE, SIDE), Image.BOX, (x, y, x + edge, y + edge))
            photo = photo.filter(ImageFilter.GaussianBlur(r.uniform(0, 1.5)))
        pairs = []
        for _ in range(1 if kind in ("plain", "place", "photo") else
                       2 if kind == "sides" or r.random() < 0.7 else 3):
            pairs.append(combination(r, things, place, colours, [t for t, _ in pairs]))
        picture, _ = compose(r, pairs, place, side, photo)
        if len(pairs) == 1:
            texts = sentences.single(r, *pairs[0], place)
        else:
            texts = sentences.several(r, pairs, place, side)
        add(picture, f"{number:06d}", name_of(pairs, place, side), texts, weight=1.0, kind="scene",
            stage=0 if kind == "plain" else 1, flip=0 if side else 1, licence=licence,
            author="the recipe", source="drawn from parts A and F, photographs of part G")
