"""The frame the parts are built in: drawing with a cache, the rows, their weights, the files.

A part is a module part_NAME.py with

    build(packages, out, add, options)

packages.folder(NAME) is an unpacked package (fetch.py), packages.emoji_concept(ENGLISH) the
concept of an emoji by its name, `out` the data set's folder, options.render(svgs, size) draws SVG
texts with a cache, and

    add(picture, name, concept, texts=[(language, text, weight)], weight=1.0, kind="art", stage=0,
        flip=1, licence="", author="", source="")

writes the picture (a PIL image, a path of a PNG of at most 96 pixels, or None) and remembers its
rows. Weights are relative: pictures' within the part, texts' within their concept and language; the
frame makes the shares of the parts and of the languages from them.
"""

import collections
import functools
import hashlib
import io
import os
import re
import shutil
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

import templates

SIDE = 96
SHEET = 64  # drawings by one process
SQUARE = re.compile(r'^([^>]*viewBox="\S+ \S+ ([\d.]+) \2") width="[^"]*" height="[^"]*"')
OWN = re.compile(r'\bid=|<style|<image|<!|<animate')
COLUMNS = ("path", "language", "text", "concept", "weight", "stage", "kind", "flip")
LICENCES = ("MIT", "Apache-2.0", "ISC", "CC0-1.0", "public domain", "CC-BY-3.0", "CC-BY-3.0-US",
            "CC-BY-4.0", "OFL-1.1", "Unicode-3.0", "own")
# Share of the samples in percent.
SHARES = {"emoji": 35, "icons": 15, "names": 12, "colour": 12, "clipart": 8, "furniture": 7,
          "photos": 3, "flags": 3, "words": 3, "scenes": 10}
# The curriculum (akin train --stages): emoji by their English names first, since pictures learn from
# texts that are told apart, and one language is learnt in minutes; then what is drawn otherwise, and
# Chinese; then everything.
STAGES = {"emoji": 0, "icons": 1, "colour": 1, "clipart": 1, "furniture": 1}
LAST_STAGE = 2
TEXT_STAGES = {"en": 0, "zh": 1}
# Of the texts of a concept with many languages; icons in English raise English to a third of all
# samples, and leave Chinese a twelfth. The others by the root of their count.
ENGLISH, CHINESE = 0.16, 0.11
QUESTIONS = {"en": 0.17, "zh": 0.30}  # of a language's texts; other languages with templates:
QUESTIONS_ELSEWHERE = 0.28
QUESTION_ROWS = {"en": 6, "zh": 5}


class RecipeError(Exception):
    pass


def crc(text):
    return zlib.crc32(text.encode("utf-8"))


def clean(text):
    return " ".join(text.split())


class Renderer:
    """Draws SVG texts with rsvg-convert; what was drawn once is taken from the cache."""

    def __init__(self, cache, threads):
        self.folder = os.path.join(cache, "drawn")
        self.threads = threads

    def path(self, svg, size):
        key = hashlib.sha256(f"{size}\n{svg}".encode()).hexdigest()
        return os.path.join(self.folder, key[:2], key + ".png")

    def keep(self, path, data):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".part", "wb") as file:
            file.write(data)
        os.replace(path + ".part", path)

    def draw(self, svg, width, height):
        """The PNG, b"" where there is none."""
        command = ["rsvg-convert", "-a", "-w", str(width), "-h", str(height)]
        try:
            done = subprocess.run(command, input=svg.encode(), capture_output=True, timeout=20)
            Image.open(io.BytesIO(done.stdout)).load()
            return done.stdout
        except (subprocess.TimeoutExpired, OSError, SyntaxError, ValueError):
            return b""

    def one(self, svg, size):
        path = self.path(svg, size)
        if not os.path.exists(path):
            # Nothing is remembered too: it will not come out better next time.
            self.keep(path, self.draw(svg, size, size))
        return path if os.path.getsize(path) else None

    def sheet(self, svgs, size):
        """Draws up to SHEET square drawings by one process, in a row: starting it takes longer than
        drawing an icon. What fails is left to one()."""
        inner = []
        for i, svg in enumerate(svgs):
            placed = f'<svg x="{i * size}" y="0" width="{size}" height="{size}" '
            inner.append(placed + SQUARE.sub(r"\1", svg[5:]))
        width = size * len(svgs)
        whole = ('<svg xmlns="http://www.w3.org/2000/svg" '
                 'xmlns:xlink="http://www.w3.org/1999/xlink" '
                 f'viewBox="0 0 {width} {size}" width="{width}" height="{size}">'
                 + "".join(inner) + "</svg>")
        data = self.draw(whole, width, size)
        if not data:
            return
        picture = Image.open(io.BytesIO(data)).convert("RGBA")
        for i, svg in enumerate(svgs):
            saved = io.BytesIO()
            picture.crop((i * size, 0, (i + 1) * size, size)).save(saved, "PNG", compress_level=6)
            self.keep(self.path(svg, size), saved.getvalue())

    def __call__(self, svgs, size=SIDE):
        """Paths of the drawings in the order of `svgs`, None where one failed."""
        missing = [s for s in dict.fromkeys(svgs) if not os.path.exists(self.path(s, size))]
        # Ids and styles of one drawing would meet those of its neighbours.
        plain = [s for s in missing if SQUARE.search(s) and not OWN.search(s)]
        groups = [plain[i:i + SHEET] for i in range(0, len(plain), SHEET)]
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(lambda group: self.sheet(group, size), groups))
            return list(pool.map(lambda svg: self.one(svg, size), svgs))


def fitted(picture, side=SIDE):
    """At most `side` pixels, RGBA where something is transparent, else RGB."""
    picture = picture.convert("RGBA")
    if max(picture.size) > side:
        scale = side / max(picture.size)
        size = tuple(max(1, round(n * scale)) for n in picture.size)
        # Colours of transparent pixels must not bleed into the edges.
        picture = picture.convert("RGBa").resize(size, Image.LANCZOS).convert("RGBA")
    return picture if picture.getchannel("A").getextrema()[0] < 255 else picture.convert("RGB")


class Rows:
    """Pictures and texts of one manifest, with its pictures below `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.pictures = []  # (path, part, concept, weight, kind, stage, flip)
        self.texts = {}  # concept -> {(language, text): [weight, part]}
        self.credit = collections.Counter()
        self.names = set()
        self.refused = lambda text: False  # texts that a test holds out

    def add(self, part, picture, name, concept, texts=(), weight=1.0, kind="art", stage=0, flip=1,
            licence="", author="", source=""):
        if picture is not None:
            if licence not in LICENCES:
                raise RecipeError(f"{part}: {name}: licence '{licence}' is not one of "
                                  f"{', '.join(LICENCES)}")
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
            path = f"pictures/{part}/{name}.png"
            if path in self.names:
                raise RecipeError(f"{part}: two pictures are called {name}")
            self.names.add(path)
            self.write(picture, path)
            self.pictures.append((path, part, concept, weight, kind, stage, flip))
            self.credit[source, licence, author, part] += 1
        for language, text, value in texts:
            self.text(part, concept, language, text, value)

    def text(self, part, concept, language, text, weight):
        text = clean(text)
        if text and weight > 0 and not self.refused(text):
            known = self.texts.setdefault(concept, {})
            # Seen twice it counts once.
            entry = known.setdefault((language, text), [weight, part])
            entry[0] = max(entry[0], weight)

    def write(self, picture, path):
        target = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if isinstance(picture, str):
            shutil.copyfile(picture, target)
        else:
            fitted(picture).save(target, compress_level=6)

    def adder(self, part):
        return functools.partial(self.add, part)


def language_masses(rows):
    """Each language's share: English and Chinese given, the others by the root of their texts."""
    counts = collections.Counter()
    for known in rows.texts.values():
        for (language, _), (_, part) in known.items():
            counts[language] += part == "emoji"
    masses = {k: max(n, 1) ** 0.5 for k, n in counts.items() if k not in ("en", "zh")}
    scale = (1 - ENGLISH - CHINESE) / (sum(masses.values()) or 1)
    masses = {k: v * scale for k, v in masses.items()}
    return masses | {"en": ENGLISH, "zh": CHINESE}


def questions(concept, language, known):
    """[(text, weight, base)]: requests around the names of a concept, weights adding up to 1."""
    asked = templates.TEMPLATES.get(language)
    if not asked or not known:
        return []
    # Names and what is as good as one; keywords may be verbs and qualities.
    ranked = sorted(known, key=lambda text: (-known[text], text))
    ranked = [text for text in ranked if known[text] >= 0.45 * known[ranked[0]]]
    count = QUESTION_ROWS.get(language, 3)
    first = crc(f"{language}:{concept}")
    # A step that has no factor in common with the number of templates meets all of them.
    step = 7 if len(asked) % 7 else 11
    found = []
    for i in range(count):
        base = ranked[0] if i % 3 != 2 else ranked[min(1 + i // 3, len(ranked) - 1)]
        template = asked[(first + i * step) % len(asked)]
        found.append((templates.fill(template, base, language), 1 / count, base))
    return found


def text_rows(rows, plain=()):
    """[(concept, language, text, weight, base)]: texts and the questions around them; the weights
    of a concept add up to 1. `plain`: concepts that are asked no questions."""
    masses = language_masses(rows)
    found = []
    for concept in sorted(rows.texts):
        by_language = collections.defaultdict(dict)
        for (language, text), (weight, part) in rows.texts[concept].items():
            by_language[language][text] = weight, part
        total = sum(masses[k] for k in by_language)
        for language in sorted(by_language):
            known = by_language[language]
            # An emoji's own texts outweigh what other parts call their pictures of it.
            own = sum(w for w, part in known.values() if part == "emoji")
            other = sum(w for w, part in known.values() if part != "emoji")
            scale = 0.3 * own / other if own and other else 1.0
            weights = {t: w if part == "emoji" else w * scale for t, (w, part) in known.items()}
            mass = masses[language] / total
            ask = [] if concept in plain else questions(concept, language, weights)
            share = QUESTIONS.get(language, QUESTIONS_ELSEWHERE) if ask else 0
            norm = (1 - share) * mass / sum(weights.values())
            found += [(concept, language, t, w * norm, t) for t, w in sorted(weights.items())]
            found += [(concept, language, t, w * share * mass, base) for t, w, base in ask]
    return found


def picture_weights(pictures):
    """The weights with which each part has its share of the samples."""
    totals = collections.Counter()
    for _, part, _, weight, *_ in pictures:
        totals[part] += weight
    return [w * SHARES[part] / totals[part] * 100 for _, part, _, w, *_ in pictures]


def number(value):
    return f"{value:.4g}"


def write_manifest(path, pictures, texts):
    """pictures: (path, concept, weight, kind, stage, flip);
    texts: (concept, language, text, weight)."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".part", "w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(COLUMNS) + "\n")
        for name, concept, weight, kind, stage, flip in pictures:
            part = name.split("/")[1]
            stage = max(stage, STAGES.get(part, LAST_STAGE))
            file.write(f"{name}\t\t\t{concept}\t{number(weight)}\t{stage}\t{kind}\t{flip}\n")
        for concept, language, text, weight in texts:
            stage = TEXT_STAGES.get(language, LAST_STAGE)
            file.write(f"\t{language}\t{text}\t{concept}\t{number(weight)}\t{stage}\t\t\n")
    os.replace(path + ".part", path)
