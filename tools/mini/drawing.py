"""What the parts share: trimming pictures, telling copies, random numbers."""

import random
import zlib

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = 64_000_000


def crc(text):
    return zlib.crc32(text.encode("utf-8"))


def rng(*names):
    """Random numbers that depend on the names alone, the same in every Python."""
    return random.Random(crc("/".join(map(str, names))))


def trimmed(picture, margin=0.02):
    """Without the empty border (transparent, or white all around); None where nothing is left or
    the picture is of one colour."""
    pixels = np.asarray(picture.convert("RGBA"))
    alpha = pixels[..., 3] > 8
    if alpha.all():
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])[:, :3]
        if border.min() > 245:
            alpha = pixels[..., :3].min(axis=2) < 245
    if alpha.sum() < 40:
        return None
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    pad = int(margin * max(len(rows), len(columns)))
    box = (max(columns[0] - pad, 0), max(rows[0] - pad, 0),
           min(columns[-1] + 1 + pad, picture.width), min(rows[-1] + 1 + pad, picture.height))
    cut = picture.crop(box)
    if min(cut.size) < 8:
        return None
    shown = np.asarray(cut)[np.asarray(cut)[..., 3] > 128]
    opaque = np.asarray(cut)[..., 3].min() > 128
    if not len(shown) or (opaque and shown[:, :3].std(axis=0).max() < 4):
        return None
    return cut


class Seen:
    """Tells near copies by a small picture of each (12x12, on grey), within a small distance."""

    def __init__(self, distance=5.0):
        self.distance, self.count, self.rows = distance, 0, np.empty((64, 432), np.int16)

    def before(self, picture):
        small = Image.new("RGBA", picture.size, (128, 128, 128, 255))
        small.alpha_composite(picture.convert("RGBA"))
        row = np.asarray(small.convert("RGB").resize((12, 12), Image.BOX), np.int16).ravel()
        known = self.rows[:self.count]
        if self.count and np.abs(known - row).mean(axis=1).min() < self.distance:
            return True
        if self.count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        self.rows[self.count] = row
        self.count += 1
        return False


def has_letters(title):
    """True for titles of signs and lettering, which a mirror would spoil."""
    words = title.lower().split()
    return any(w in ("letter", "text", "sign", "clock", "keyboard", "word", "banner", "left",
                     "right", "label", "stop", "number", "note") for w in words)
