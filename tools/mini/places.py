"""Draws places, 96 pixels wide, each in endless variants: place(NAME, random numbers) -> Place.

Everything is drawn twice as large and scaled down. `ground` is the height (0 top, 1 bottom) at
which a thing stands; `free` places (sky, water) have none and things may be anywhere.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

W = 192
# The eight of the test of combinations, then those that only training knows.
TESTED = ("beach", "street", "forest", "snow", "night sky", "room", "desert", "sea")
NAMES = TESTED + ("meadow", "city", "underwater")


class Place:
    def __init__(self, picture, ground, free=False):
        self.picture, self.ground, self.free = picture, ground, free


def mix(a, b, t):
    return tuple(round(x + (y - x) * t) for x, y in zip(a, b))


def vary(r, colour, by=14):
    shift = r.randint(-by, by)
    return tuple(max(0, min(255, c + shift + r.randint(-by // 2, by // 2))) for c in colour)


def gradient(top, bottom, height=W, width=W):
    t = np.linspace(0, 1, height)[:, None, None]
    rows = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
    return Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))


def noise(r, strength, cells, size=(W, W)):
    """Smooth noise, -strength..strength."""
    source = np.random.default_rng(r.getrandbits(32)).uniform(0, 255, (cells[1], cells[0]))
    grown = Image.fromarray(source.astype(np.uint8)).resize(size, Image.BICUBIC)
    return (np.asarray(grown, np.float32) / 127.5 - 1) * strength


def textured(r, image, strength, cells, box=None):
    box = box or (0, 0, W, W)
    part = image.crop(box)
    pixels = np.asarray(part, np.float32) + noise(r, strength, cells, part.size)[..., None]
    image.paste(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), box)


def wave(r, base, height, steps=24, bends=2.0):
    """Points of a gentle line across the picture."""
    phase, second = r.uniform(0, 7), r.uniform(0, 7)
    return [(x * W / steps, base + height * (math.sin(phase + bends * 6.28 * x / steps) +
                                             0.5 * math.sin(second + bends * 14 * x / steps)))
            for x in range(steps + 1)]


def below(draw, line, colour):
    draw.polygon(line + [(W, W), (0, W)], fill=colour)


def cloud(r, draw, x, y, size, colour=(250, 251, 253)):
    for k in range(5):
        dx, dy, s = (k - 2) * size * 0.42, r.uniform(-0.2, 0.1) * size, size * r.uniform(0.35, 0.55)
        draw.ellipse((x + dx - s, y + dy - s * 0.7, x + dx + s, y + dy + s * 0.6), fill=colour)


def clouds(r, draw, top, most=3):
    for _ in range(r.randint(0, most)):
        cloud(r, draw, r.uniform(0, W), r.uniform(8, max(10, top)), r.uniform(12, 24))


def sky(r):
    """(top, bottom) of a day's sky, now and then an evening's."""
    kinds = [((74, 144, 226), (190, 224, 250)), ((100, 180, 240), (214, 238, 252)),
             ((60, 120, 205), (160, 205, 242)), ((135, 196, 235), (232, 242, 248))]
    if r.random() < 0.15:
        kinds = [((250, 150, 90), (253, 214, 150)), ((120, 100, 180), (250, 176, 130))]
    top, bottom = r.choice(kinds)
    return vary(r, top), vary(r, bottom)


def palm(r, draw, x, y, height):
    lean = r.uniform(-0.35, 0.35) * height
    trunk = vary(r, (140, 98, 58))
    points = [(x + lean * (k / 8) ** 2, y - height * k / 8) for k in range(9)]
    draw.line(points, fill=trunk, width=max(4, int(height / 16)), joint="curve")
    top, leaf = points[-1], vary(r, (44, 132, 56))
    for k in range(7):
        angle = math.pi * (k / 6) + r.uniform(-0.15, 0.15)
        length = height * r.uniform(0.38, 0.5)
        mid = (top[0] + math.cos(angle) * length * 0.6,
               top[1] - math.sin(angle) * length * 0.45 - 3)
        end = (top[0] + math.cos(angle) * length,
               top[1] - math.sin(angle) * length * 0.2 + length * 0.22)
        draw.polygon([top, (mid[0], mid[1] - 4), end, (mid[0], mid[1] + 5)], fill=leaf)


def pine(r, draw, x, y, height, colour, snow=False):
    draw.rectangle((x - height * 0.04, y - height * 0.15, x + height * 0.04, y), fill=(92, 64, 44))
    for k in range(3):
        base, half = y - height * (0.12 + 0.26 * k), height * (0.30 - 0.07 * k)
        tip = base - height * 0.42
        draw.polygon([(x - half, base), (x + half, base), (x, tip)], fill=colour)
        if snow:
            t = 0.5
            draw.polygon([(x - half * t, base + (tip - base) * (1 - t)),
                          (x, base + (tip - base) * 0.38),
                          (x + half * t, base + (tip - base) * (1 - t)), (x, tip)],
                          fill=(246, 250, 253))


def tree(r, draw, x, y, height, leaf):
    draw.rectangle((x - height * 0.06, y - height * 0.45, x + height * 0.06, y),
                   fill=vary(r, (105, 74, 48), 10))
    for _ in range(5):
        dx, dy, s = r.uniform(-0.2, 0.2) * height, r.uniform(-0.9, -0.5) * height, height * 0.2
        draw.ellipse((x + dx - s, y + dy - s, x + dx + s, y + dy + s), fill=vary(r, leaf, 10))


def beach(r):
    top, bottom = sky(r)
    horizon = r.uniform(0.26, 0.4) * W
    image = gradient(top, bottom)
    draw = ImageDraw.Draw(image)
    if r.random() < 0.5:
        x, s = r.uniform(20, W - 20), r.uniform(9, 14)
        draw.ellipse((x - s, 18 - s, x + s, 18 + s), fill=(255, 240, 150))
    clouds(r, draw, horizon - 12, 2)
    water = vary(r, r.choice([(36, 150, 200), (50, 178, 200), (30, 120, 190)]))
    draw.rectangle((0, horizon, W, W), fill=water)
    for _ in range(9):
        y, x = r.uniform(horizon + 3, horizon + 40), r.uniform(0, W)
        draw.line((x, y, x + r.uniform(10, 34), y), fill=mix(water, (255, 255, 255), 0.45), width=2)
    shore = wave(r, horizon + r.uniform(26, 44), r.uniform(2, 5), bends=r.uniform(0.5, 1.3))
    sand = vary(r, r.choice([(240, 214, 150), (244, 222, 170), (232, 200, 140)]))
    below(draw, [(x, y - 6) for x, y in shore], (250, 253, 253))
    below(draw, shore, mix(sand, (120, 90, 60), 0.25))
    below(draw, [(x, y + 7) for x, y in shore], sand)
    low = int(max(y for _, y in shore)) + 9
    textured(r, image, 9, (48, 24), (0, low, W, W))
    draw = ImageDraw.Draw(image)
    if r.random() < 0.55:
        side = r.choice([r.uniform(0, 0.16), r.uniform(0.84, 1)])
        palm(r, draw, side * W, low + r.uniform(5, 30), r.uniform(75, 115))
    for _ in range(r.randint(0, 4)):  # shells and starfish
        x, y, s = r.uniform(8, W - 8), r.uniform(low + 25, W - 6), r.uniform(2, 4)
        colour = r.choice([(250, 236, 220), (226, 160, 130), (250, 250, 245)])
        draw.ellipse((x - s, y - s * 0.8, x + s, y + s * 0.8), fill=colour)
    return Place(image, r.uniform(0.8, 0.93))


def building(r, draw, x0, y0, x1, y1, lit=None):
    wall = vary(r, r.choice([(196, 120, 96), (220, 200, 170), (170, 176, 186), (206, 178, 140),
                             (150, 108, 92), (120, 140, 160), (228, 224, 214)]))
    draw.rectangle((x0, y0, x1, y1), fill=wall)
    draw.rectangle((x0, y0, x1, y0 + 3), fill=mix(wall, (40, 40, 40), 0.4))
    step = r.uniform(11, 15)
    pane = lit or r.choice([(90, 120, 150), (70, 90, 115), (160, 200, 225)])
    y = y0 + 8
    while y + 8 < y1 - 6:
        x = x0 + 4
        while x + 6 < x1 - 2:
            draw.rectangle((x, y, x + 5, y + 7), fill=pane)
            x += step
        y += step


def street(r):
    top, bottom = sky(r)
    image = gradient(top, bottom)
    draw = ImageDraw.Draw(image)
    asphalt = vary(r, (92, 94, 98), 12)
    kerb = vary(r, (176, 172, 166), 10)
    white = (240, 240, 236)
    if r.random() < 0.5:  # along the road
        horizon = r.uniform(0.36, 0.46) * W
        middle = W / 2 + r.uniform(-14, 14)
        grass = r.random() < 0.3
        draw.rectangle((0, horizon, W, W), fill=vary(r, (120, 170, 90)) if grass else kerb)
        far, near = r.uniform(5, 10), r.uniform(0.42, 0.52) * W
        draw.polygon([(middle - far, horizon), (middle + far, horizon), (W / 2 + near, W),
                      (W / 2 - near, W)], fill=asphalt)
        for side in (-1, 1):
            draw.line((middle + side * far * 0.9, horizon, W / 2 + side * near * 0.92, W),
                      fill=white,
                      width=3)
        for k in range(6):
            a, b = (k / 6) ** 2, ((k + 0.5) / 6) ** 2
            ya, yb = horizon + a * (W - horizon), horizon + b * (W - horizon)
            xa, xb = middle + (W / 2 - middle) * a, middle + (W / 2 - middle) * b
            wa, wb = 0.6 + 4 * a, 0.6 + 4 * b
            draw.polygon([(xa - wa, ya), (xa + wa, ya), (xb + wb, yb), (xb - wb, yb)], fill=white)
        for side in (-1, 1):
            for k in range(3):
                a = 0.08 + 0.3 * k
                x = middle + side * (far + 6 + a * W * 0.55)
                wide, high = 26 + 26 * k, 30 + 32 * k + r.uniform(0, 20)
                x0, x1 = (x, x + wide) if side > 0 else (x - wide, x)
                if grass:
                    tree(r, draw, x + side * 8, horizon + 4 + a * 40, high * 0.8, (70, 140, 60))
                else:
                    building(r, draw, x0, horizon + 4 + a * 30 - high, x1, horizon + 4 + a * 30)
        return Place(image, r.uniform(0.8, 0.92))
    # across it
    edge = r.uniform(0.5, 0.6) * W
    x = -r.uniform(0, 20)
    while x < W:
        wide = r.uniform(28, 52)
        building(r, draw, x, edge - r.uniform(48, 92), x + wide, edge)
        x += wide + r.choice([0, 0, 6])
    draw.rectangle((0, edge, W, edge + 10), fill=kerb)
    draw.rectangle((0, edge + 10, W, edge + 13), fill=mix(kerb, (60, 60, 60), 0.5))
    draw.rectangle((0, edge + 13, W, W), fill=asphalt)
    textured(r, image, 5, (60, 20), (0, int(edge) + 14, W, W))
    draw = ImageDraw.Draw(image)
    line, x = edge + 13 + (W - edge - 13) * r.uniform(0.42, 0.6), -r.uniform(0, 20)
    colour = r.choice([white, white, (240, 205, 70)])
    while x < W:
        draw.rectangle((x, line, x + 20, line + 5), fill=colour)
        x += 34
    if r.random() < 0.6:
        x = r.choice([r.uniform(8, 40), r.uniform(150, 184)])
        draw.rectangle((x - 2, edge - 70, x + 2, edge + 8), fill=(70, 74, 80))
        if r.random() < 0.5:
            draw.rectangle((x - 6, edge - 84, x + 6, edge - 54), fill=(50, 52, 56))
            for k, c in enumerate([(230, 60, 50), (245, 190, 50), (70, 190, 90)]):
                draw.ellipse((x - 4, edge - 82 + 9 * k, x + 4, edge - 74 + 9 * k), fill=c)
        else:
            draw.ellipse((x - 8, edge - 78, x + 8, edge - 66), fill=(250, 240, 200))
    return Place(image, r.uniform(0.84, 0.94))


def forest(r):
    image = gradient(vary(r, r.choice([(120, 160, 110), (60, 100, 70), (170, 200, 160)])),
                     vary(r, (90, 130, 80)))
    draw = ImageDraw.Draw(image)
    floor = r.uniform(0.6, 0.7) * W
    kind = r.choice(["pines", "trunks", "round"])
    leaf = vary(r, r.choice([(52, 110, 56), (40, 96, 52), (74, 128, 56)]))
    for depth in range(3):
        tone = mix(leaf, (190, 210, 180), 0.5 - 0.25 * depth)
        y = floor - 14 + 9 * depth
        for _ in range(9 - depth):
            x = r.uniform(-10, W + 10)
            if kind == "pines":
                pine(r, draw, x, y + r.uniform(-3, 6), r.uniform(95, 150), vary(r, tone, 8))
            elif kind == "round":
                tree(r, draw, x, y + r.uniform(-3, 6), r.uniform(90, 140), tone)
            else:
                wide = r.uniform(4, 7) + 2 * depth
                draw.rectangle((x - wide, 0, x + wide, y + r.uniform(0, 8)),
                               fill=mix(vary(r, (98, 70, 46), 12), (170, 190, 160),
                                        0.4 - 0.2 * depth))
    if kind == "trunks":
        for _ in range(44):
            x, y, s = r.uniform(-10, W + 10), r.uniform(-15, 42), r.uniform(9, 20)
            draw.ellipse((x - s, y - s * 0.7, x + s, y + s * 0.7), fill=vary(r, leaf, 16))
    earth = vary(r, r.choice([(84, 112, 54), (112, 92, 56), (70, 100, 50)]))
    below(draw, wave(r, floor, 3), earth)
    textured(r, image, 14, (40, 14), (0, int(floor) + 4, W, W))
    draw = ImageDraw.Draw(image)
    for _ in range(r.randint(4, 12)):
        x, y = r.uniform(0, W), r.uniform(floor + 8, W)
        for k in (-1, 0, 1):
            draw.line((x, y, x + 5 * k, y - r.uniform(6, 12)), fill=vary(r, (60, 120, 50)), width=2)
    return Place(image, r.uniform(0.82, 0.94))


def snow(r):
    top, bottom = r.choice([((120, 170, 220), (215, 232, 246)), ((150, 175, 205), (225, 233, 242)),
                            ((80, 140, 210), (200, 225, 245))])
    image = gradient(vary(r, top), vary(r, bottom, 6))
    draw = ImageDraw.Draw(image)
    base = r.uniform(0.5, 0.6) * W
    if r.random() < 0.75:
        for _ in range(r.randint(2, 4)):
            x, high, wide = r.uniform(10, W - 10), r.uniform(55, 88), r.uniform(55, 85)
            rock, peak = vary(r, (112, 126, 150)), base - high
            draw.polygon([(x - wide, base + 4), (x + wide, base + 4), (x, peak)], fill=rock)
            t = r.uniform(0.4, 0.6)
            draw.polygon([(x - wide * t, peak + high * t),
                          (x - wide * t * 0.4, peak + high * t * 0.8),
                          (x, peak + high * t * 1.1), (x + wide * t * 0.45, peak + high * t * 0.8),
                          (x + wide * t, peak + high * t), (x, peak)], fill=(250, 252, 255))
    for _ in range(r.randint(2, 6)):
        pine(r, draw, r.uniform(0, W), base + r.uniform(0, 14), r.uniform(36, 66),
             vary(r, (50, 92, 78), 8), snow=True)
    ground = (240, 245, 251)
    below(draw, wave(r, base + r.uniform(4, 12), 4, bends=0.8), (226, 234, 245))
    below(draw, wave(r, base + r.uniform(22, 40), 4, bends=0.6), ground)
    textured(r, image, 4, (20, 10), (0, int(base) + 20, W, W))
    if r.random() < 0.7:
        draw = ImageDraw.Draw(image)
        for _ in range(r.randint(20, 60)):
            x, y, s = r.uniform(0, W), r.uniform(0, W), r.uniform(1.2, 2.8)
            draw.ellipse((x - s, y - s, x + s, y + s), fill=(255, 255, 255))
    return Place(image, r.uniform(0.82, 0.94))


def night(r):
    top, bottom = r.choice([((10, 14, 44), (44, 52, 110)), ((16, 12, 48), (70, 50, 120)),
                            ((6, 10, 30), (24, 50, 96)), ((20, 24, 60), (60, 80, 140))])
    image = gradient(vary(r, top, 6), vary(r, bottom, 8))
    draw = ImageDraw.Draw(image)
    for _ in range(r.randint(45, 110)):
        x, y, s = r.uniform(0, W), r.uniform(0, W), r.choice([0.9, 1.2, 1.6, 2.2])
        draw.ellipse((x - s, y - s, x + s, y + s), fill=vary(r, (248, 246, 225), 7))
    for _ in range(r.randint(0, 4)):
        x, y, s = r.uniform(0, W), r.uniform(0, W * 0.7), r.uniform(4, 7)
        draw.polygon([(x, y - s), (x + 1.4, y - 1.4), (x + s, y), (x + 1.4, y + 1.4), (x, y + s),
                      (x - 1.4, y + 1.4), (x - s, y), (x - 1.4, y - 1.4)], fill=(255, 250, 220))
    x, y = r.choice([r.uniform(16, 44), r.uniform(148, 176)]), r.uniform(18, 42)
    s = r.uniform(12, 19)
    draw.ellipse((x - s, y - s, x + s, y + s), fill=(252, 244, 200))
    if r.random() < 0.6:
        draw.ellipse((x - s * 0.35, y - s * 1.05, x + s * 1.5, y + s * 0.8), fill=image.getpixel(
            (min(W - 1, int(x + s * 1.4)), min(W - 1, int(y)))))
    if r.random() < 0.3:
        below(draw, wave(r, W * 0.92, 5, bends=0.8), vary(r, (8, 12, 26), 4))
    return Place(image, 0.9, free=True)


def room(r):
    wall = vary(r, r.choice([(238, 224, 198), (214, 226, 214), (226, 216, 232), (206, 222, 236),
                             (244, 236, 222), (236, 206, 190), (222, 222, 216)]))
    floor = vary(r, r.choice([(176, 124, 78), (150, 100, 62), (200, 156, 108), (126, 84, 56)]))
    edge = r.uniform(0.6, 0.7) * W
    image = gradient(wall, mix(wall, (90, 80, 70), 0.12))
    draw = ImageDraw.Draw(image)
    if r.random() < 0.3:
        for x in range(0, W, r.choice([16, 24])):
            draw.rectangle((x, 0, x + 6, edge), fill=mix(wall, (255, 255, 255), 0.35))
    x0, wide, high = r.uniform(8, 110), r.uniform(48, 66), r.uniform(56, 76)
    frame = r.choice([(250, 250, 248), (134, 92, 58)])
    top = r.uniform(12, 24)
    draw.rectangle((x0 - 4, top - 4, x0 + wide + 4, top + high + 4), fill=frame)
    draw.rectangle((x0, top, x0 + wide, top + high), fill=vary(r, (170, 212, 240)))
    if r.random() < 0.5:
        draw.rectangle((x0, top + high * 0.7, x0 + wide, top + high), fill=vary(r, (130, 180, 110)))
    draw.rectangle((x0 + wide / 2 - 2, top, x0 + wide / 2 + 2, top + high), fill=frame)
    draw.rectangle((x0, top + high / 2 - 2, x0 + wide, top + high / 2 + 2), fill=frame)
    if r.random() < 0.5:
        curtain = vary(r, r.choice([(190, 90, 80), (110, 130, 170), (200, 180, 120),
                                    (150, 170, 140)]))
        for side in (x0 - 12, x0 + wide - 2):
            draw.polygon([(side, top - 8), (side + 14, top - 8), (side + 16, top + high + 12),
                          (side - 2, top + high + 12)], fill=curtain)
        draw.rectangle((x0 - 16, top - 11, x0 + wide + 16, top - 7), fill=(110, 84, 60))
    other = x0 + wide + 26 if x0 < 56 else x0 - 58
    if 0 <= other <= W - 30 and r.random() < 0.8:
        pictured = vary(r, r.choice([(90, 140, 160), (200, 150, 90), (120, 150, 110)]))
        y = r.uniform(18, 36)
        draw.rectangle((other, y, other + 32, y + 26), fill=(110, 78, 50))
        draw.rectangle((other + 4, y + 4, other + 28, y + 22), fill=pictured)
    draw.rectangle((0, edge - 7, W, edge), fill=mix(wall, (255, 255, 255), 0.6))
    draw.rectangle((0, edge, W, W), fill=floor)
    dark = mix(floor, (50, 30, 16), 0.35)
    if r.random() < 0.7:
        for k in range(-9, 10):
            draw.line((W / 2 + k * 13, edge, W / 2 + k * 34, W), fill=dark, width=1)
    else:
        for k in range(6):
            y = edge + (W - edge) * (k / 6) ** 1.5
            draw.line((0, y, W, y), fill=dark, width=1)
    if r.random() < 0.5:
        rug = vary(r, r.choice([(160, 80, 80), (90, 110, 150), (190, 170, 130), (110, 140, 110)]))
        draw.ellipse((W * 0.14, W * 0.76, W * 0.86, W * 0.99), fill=mix(rug, (255, 255, 255), 0.5))
        draw.ellipse((W * 0.18, W * 0.78, W * 0.82, W * 0.97), fill=rug)
    return Place(image, r.uniform(0.84, 0.93))


def cactus(draw, x, y, s, colour):
    wide = max(4, int(s * 0.18))
    draw.rounded_rectangle((x - wide, y - s, x + wide, y), wide, fill=colour)
    for side, at in ((-1, 0.45), (1, 0.6)):
        draw.rounded_rectangle((min(x, x + side * s * 0.38), y - s * at - wide * 0.6,
                                max(x, x + side * s * 0.38), y - s * at + wide * 0.6), wide * 0.6,
                               fill=colour)
        x1 = x + side * s * 0.38
        draw.rounded_rectangle((x1 - wide * 0.6, y - s * at - s * 0.28, x1 + wide * 0.6,
                                y - s * at + wide * 0.6), wide * 0.6, fill=colour)


def desert(r):
    top, bottom = r.choice([((240, 170, 90), (252, 222, 160)), ((110, 180, 230), (250, 230, 190)),
                            ((90, 160, 225), (220, 228, 220)), ((250, 190, 110), (255, 236, 190))])
    image = gradient(vary(r, top, 8), vary(r, bottom, 6))
    draw = ImageDraw.Draw(image)
    x, s = r.uniform(20, W - 20), r.uniform(11, 18)
    draw.ellipse((x - s, 26 - s, x + s, 26 + s), fill=(255, 244, 190))
    sand = vary(r, r.choice([(226, 160, 82), (214, 140, 70), (232, 176, 100), (206, 120, 66)]), 8)
    base = r.uniform(0.4, 0.5) * W
    kind = r.random()
    if kind < 0.25:
        for _ in range(r.randint(1, 2)):
            x, high = r.uniform(20, W - 20), r.uniform(34, 58)
            draw.polygon([(x - high * 1.1, base + 8), (x + high * 1.1, base + 8), (x, base - high)],
                         fill=mix(sand, (120, 80, 40), 0.15))
            draw.polygon([(x + high * 0.4, base + 8), (x + high * 1.1, base + 8), (x, base - high)],
                         fill=mix(sand, (90, 56, 30), 0.4))
    elif kind < 0.5:
        for _ in range(r.randint(1, 3)):
            x, wide, high = r.uniform(0, W), r.uniform(18, 36), r.uniform(20, 44)
            draw.polygon([(x - wide, base + 6), (x - wide * 0.7, base - high),
                          (x + wide * 0.7, base - high),
                          (x + wide, base + 6)], fill=mix(sand, (130, 50, 30), 0.45))
    for k in range(r.randint(3, 5)):
        tone = mix(sand, (255, 230, 180), 0.1)
        if k < 3:
            tone = mix(sand, (120, 70, 30), 0.24 - 0.08 * k)
        line = wave(r, base + 2 + 22 * k, r.uniform(5, 9), bends=r.uniform(0.4, 0.9))
        below(draw, line, tone)
    textured(r, image, 5, (30, 16), (0, int(base) + 40, W, W))
    draw = ImageDraw.Draw(image)
    for _ in range(r.randint(1, 4)):
        x = r.choice([r.uniform(8, 52), r.uniform(140, 184)])
        cactus(draw, x, base + r.uniform(14, 56), r.uniform(28, 54), vary(r, (70, 130, 70)))
    return Place(image, r.uniform(0.82, 0.94))


def sea(r):
    top, bottom = sky(r)
    image = gradient(top, bottom)
    horizon = r.uniform(0.2, 0.36) * W
    draw = ImageDraw.Draw(image)
    clouds(r, draw, horizon - 10, 2)
    water = vary(r, r.choice([(24, 96, 170), (30, 120, 190), (20, 80, 140), (40, 140, 180)]))
    image.paste(gradient(mix(water, (210, 235, 245), 0.3), mix(water, (0, 20, 60), 0.25),
                         W - int(horizon)), (0, int(horizon)))
    draw = ImageDraw.Draw(image)
    crest = mix(water, (255, 255, 255), 0.55)
    for k in range(9):
        y = horizon + (W - horizon) * ((k + 0.6) / 9) ** 1.4
        size, x = 5 + 18 * k / 9, -r.uniform(0, 24)
        while x < W:
            if r.random() < 0.75:
                draw.arc((x, y - size * 0.3, x + size * 1.6, y + size * 0.55), 190, 350, fill=crest,
                         width=2 + k // 4)
            x += size * r.uniform(1.6, 2.6)
    if r.random() < 0.3:
        x = r.uniform(0, W)
        draw.polygon([(x - 26, horizon), (x + 30, horizon), (x + 8, horizon - 12),
                      (x - 6, horizon - 9)],
                     fill=vary(r, (90, 120, 100)))
    return Place(image, r.uniform(0.74, 0.86), free=r.random() < 0.3)


def meadow(r):
    top, bottom = sky(r)
    image = gradient(top, bottom)
    draw = ImageDraw.Draw(image)
    base = r.uniform(0.4, 0.52) * W
    clouds(r, draw, base - 24)
    green = vary(r, r.choice([(104, 176, 70), (88, 160, 62), (130, 190, 80)]))
    below(draw, wave(r, base, 6, bends=0.7), mix(green, (180, 210, 190), 0.4))
    below(draw, wave(r, base + 20, 6, bends=0.6), mix(green, (255, 255, 200), 0.12))
    below(draw, wave(r, base + 42, 4, bends=0.6), green)
    textured(r, image, 8, (50, 24), (0, int(base) + 46, W, W))
    draw = ImageDraw.Draw(image)
    for _ in range(r.randint(20, 60)):
        x, y = r.uniform(0, W), r.uniform(base + 40, W)
        draw.line((x, y, x + r.uniform(-3, 3), y - r.uniform(5, 10)),
                  fill=mix(green, (20, 80, 20), 0.4),
                  width=2)
    if r.random() < 0.75:
        petals = r.sample([(250, 250, 245), (250, 220, 90), (240, 170, 190), (190, 150, 220)], 2)
        for _ in range(r.randint(10, 36)):
            x, y, s = r.uniform(0, W), r.uniform(base + 40, W), r.uniform(2, 3.6)
            draw.ellipse((x - s, y - s, x + s, y + s), fill=r.choice(petals))
    if r.random() < 0.3:
        tree(r, draw, r.choice([r.uniform(0, 30), r.uniform(162, W)]), base + 30, 80, (80, 150, 60))
    return Place(image, r.uniform(0.8, 0.93))


def city(r):
    dusk = r.random() < 0.3
    top, bottom = ((60, 50, 110), (240, 150, 120)) if dusk else sky(r)
    image = gradient(top, bottom)
    draw = ImageDraw.Draw(image)
    base = r.uniform(0.78, 0.88) * W
    for depth in range(3):
        x = -r.uniform(0, 20)
        while x < W:
            wide, high = r.uniform(18, 34), r.uniform(60, 140) - 22 * depth
            tone = mix(r.choice([(96, 116, 140), (120, 130, 146), (84, 104, 120), (140, 134, 132)]),
                       bottom, 0.5 - 0.25 * depth)
            tone = vary(r, tone, 8)
            draw.rectangle((x, base - high, x + wide, W), fill=tone)
            if r.random() < 0.2:
                draw.line((x + wide / 2, base - high - 14, x + wide / 2, base - high), fill=tone,
                          width=2)
            pane = (252, 226, 140) if dusk else mix(tone, (235, 245, 252), 0.6)
            for wy in range(int(base - high) + 5, int(base) - 4, 8):
                for wx in range(int(x) + 4, int(x + wide) - 4, 7):
                    if r.random() < 0.75:
                        draw.rectangle((wx, wy, wx + 3, wy + 4), fill=pane)
            x += wide + r.uniform(-2, 6)
    draw.rectangle((0, base, W, W), fill=vary(r, (128, 130, 134), 8))
    return Place(image, r.uniform(0.9, 0.96))


def underwater(r):
    water = vary(r, r.choice([(20, 120, 180), (16, 140, 170), (24, 96, 170)]))
    image = gradient(mix(water, (170, 235, 250), 0.5), mix(water, (0, 20, 60), 0.35))
    draw = ImageDraw.Draw(image)
    bed = r.uniform(0.84, 0.92) * W
    below(draw, wave(r, bed, 4), mix((222, 200, 150), water, 0.35))
    for _ in range(r.randint(3, 8)):
        x, high = r.uniform(0, W), r.uniform(20, 60)
        weed = [(x + 4 * math.sin(k * 0.9 + x), bed + 8 - high * k / 9) for k in range(10)]
        draw.line(weed, fill=vary(r, (50, 140, 80)), width=5, joint="curve")
    for _ in range(r.randint(1, 4)):
        x, coral = r.uniform(0, W), r.choice([(236, 110, 110), (240, 150, 90), (200, 110, 190)])
        coral = vary(r, coral)
        for k in range(-2, 3):
            draw.line((x, bed + 8, x + 7 * k, bed - r.uniform(12, 24)), fill=coral, width=5)
    for _ in range(r.randint(8, 24)):
        x, y, s = r.uniform(0, W), r.uniform(0, bed), r.uniform(1.5, 5)
        draw.ellipse((x - s, y - s, x + s, y + s), outline=(225, 245, 252), width=1)
    return Place(image, 0.88, free=True)


DRAW = {"beach": beach, "street": street, "forest": forest, "snow": snow, "night sky": night,
        "room": room, "desert": desert, "sea": sea, "meadow": meadow, "city": city,
        "underwater": underwater}


def place(name, r, side=96):
    drawn = DRAW[name](r)
    picture = drawn.picture.convert("RGB")
    if r.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(r.uniform(0.5, 2)))
    if r.random() < 0.5:
        picture = picture.transpose(Image.FLIP_LEFT_RIGHT)
    drawn.picture = picture.resize((side, side), Image.BOX)
    return drawn


def plain(r, side=96):
    """A flat ground, a gradient or a pattern, of any pale or strong colour."""
    colours = [vary(r, c, 25) for c in r.sample(
        [(255, 255, 255), (235, 235, 235), (200, 205, 210), (250, 240, 220), (220, 235, 250),
         (225, 245, 225), (250, 225, 230), (90, 95, 100), (40, 44, 60), (180, 160, 140),
         (120, 170, 200), (240, 220, 120), (170, 140, 190), (110, 160, 120)], 2)]
    kind = r.random()
    if kind < 0.5:
        return Image.new("RGB", (side, side), colours[0])
    if kind < 0.8:
        image = gradient(colours[0], colours[1], side, side)
        return image.rotate(r.choice([0, 90, 180, 270]))
    image = Image.new("RGB", (side, side), colours[0])
    textured(r, image, r.uniform(5, 25), (r.randint(2, 30), r.randint(2, 30)), (0, 0, side, side))
    return image
