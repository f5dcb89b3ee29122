"""Paints artwork in a named colour: the part of it that has its main colour takes the new one, with
the light and shade it had; eyes, wheels, leaves and outlines stay as they were."""

import numpy as np
from PIL import Image

# name: (sRGB of a middle tone, variations of it)
COLOURS = {
    "red": [(214, 30, 38), (190, 18, 30), (235, 48, 48)],
    "orange": [(247, 140, 20), (240, 125, 10), (255, 155, 50)],
    "yellow": [(250, 212, 30), (240, 200, 10), (255, 226, 70)],
    "green": [(52, 160, 62), (30, 130, 50), (92, 184, 72)],
    "blue": [(36, 100, 220), (25, 70, 190), (60, 140, 235)],
    "purple": [(128, 52, 170), (108, 40, 150), (150, 85, 205)],
    "pink": [(244, 130, 182), (250, 155, 195), (236, 100, 165)],
    "brown": [(124, 74, 38), (102, 58, 28), (140, 90, 55)],
    "black": [(38, 38, 42), (28, 28, 32), (48, 48, 54)],
    "white": [(240, 240, 240), (246, 244, 238), (236, 240, 246)],
    "gray": [(140, 142, 146), (122, 124, 128), (158, 160, 164)],
}
LEAST = 0.42  # share of the artwork that must be of its main colour


def hsv(rgb):
    """Hue 0..1, saturation, value of float RGB 0..1."""
    top, low = rgb.max(axis=-1), rgb.min(axis=-1)
    span = top - low
    safe = np.where(span == 0, 1, span)
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    hue = np.where(top == r, (g - b) / safe % 6, np.where(top == g, (b - r) / safe + 2,
                                                          (r - g) / safe + 4)) / 6
    return np.where(span == 0, 0, hue), span / np.where(top == 0, 1, top), top


def main_part(picture):
    """(mask 0..1 of the pixels with the main colour, their share) of an RGBA picture."""
    pixels = np.asarray(picture, np.float32) / 255
    rgb, alpha = pixels[..., :3], pixels[..., 3]
    hue, saturation, value = hsv(rgb)
    total = alpha.sum()
    vivid = alpha * np.clip((saturation - 0.16) / 0.12, 0, 1) * (value > 0.16)
    best = None
    if vivid.sum() > 0.25 * total:
        counts, edges = np.histogram(hue, 36, (0, 1), weights=vivid)
        around = sum(np.roll(counts, k) for k in (-2, -1, 0, 1, 2))
        centre = (np.argmax(around) + 0.5) / 36
        distance = np.abs((hue - centre + 0.5) % 1 - 0.5) * 360
        best = vivid * np.clip((42 - distance) / 10, 0, 1)
        # Highlights and deep shade next to the main colour belong to it.
        rest = alpha - vivid
        near = np.abs((hue - centre + 0.5) % 1 - 0.5) * 360 < 50
        best = np.maximum(best, rest * near * np.clip(saturation / 0.12, 0, 1) * (value > 0.3))
    if best is None or best.sum() < LEAST * total:
        # Grey or white things: the lightness most of the picture has.
        dull = alpha * (1 - np.clip((saturation - 0.16) / 0.12, 0, 1))
        if dull.sum() > 0.5 * total:
            counts, edges = np.histogram(value, 16, (0, 1), weights=dull)
            around = sum(np.roll(counts, k) for k in (-1, 0, 1))
            around[:3] = 0  # outlines
            centre = (np.argmax(around) + 0.5) / 16
            grey = dull * np.clip((0.24 - np.abs(value - centre)) / 0.06, 0, 1)
            if best is None or grey.sum() > best.sum():
                best = grey
    if best is None:
        return None, 0.0
    return best / np.maximum(alpha, 1e-3) * (alpha > 0), float(best.sum() / total)


def paint(picture, mask, colour, shade=0.75):
    """The RGBA picture with `mask` of it in `colour` (RGB 0..255)."""
    pixels = np.asarray(picture, np.float32) / 255
    rgb, alpha = pixels[..., :3], pixels[..., 3:]
    light = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    weight = mask * alpha[..., 0]
    order = np.sort(light[weight > 0.5])
    if not len(order):
        return picture
    middle = max(float(order[len(order) // 2]), 0.08)
    ratio = np.clip(light / middle, 0.35, 1.9) - 1
    target = np.asarray(colour, np.float32) / 255
    ratio = (ratio * shade)[..., None]
    # Darker: towards black; lighter: towards white, half as far. White things keep little shade,
    # black things some shine, so that the name stays true.
    bright = float(target.max())
    depth = 0.45 if target.min() > 0.85 else 1
    down = target * (1 + np.minimum(ratio, 0) * depth)
    up = np.clip(np.maximum(ratio, 0), 0, 1) * (0.28 if bright < 0.25 else 0.45)
    new = down + (1 - down) * up
    out = rgb + (new - rgb) * mask[..., None]
    whole = np.concatenate([np.clip(out, 0, 1), alpha], -1) * 255
    return Image.fromarray(whole.round().astype(np.uint8), "RGBA")
