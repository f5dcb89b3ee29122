"""The frame the parts are built in: drawing with a cache, the rows, their weights, the files.

A part is a module part_NAME.py with

    build(packages, out, add, options)

packages.folder(NAME) is an unpacked package (fetch.py), packages.emoji_concept(ENGLISH) the concept
of an emoji by its name, `out` the data set's folder, options.render(svgs, size) draws SVG texts with
a cache, and

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
COLUMNS = ("path", "language", "text", "concept", "weight", "stage", "kind", "flip")
LICENCES = ("MIT", "Apache-2.0", "ISC", "CC0-1.0", "public domain", "CC-BY-3.0", "CC-BY-3.0-US",
            "CC-BY-4.0", "OFL-1.1", "Unicode-3.0", "own")
# Share of the samples in percent.
SHARES = {"emoji": 35, "icons": 15, "names": 12, "colour": 12, "clipart": 8, "furniture": 7,
          "photos": 3, "flags": 3, "words": 3, "scenes": 10}
ENGLISH, CHINESE = 0.20, 0.08  # of the samples' texts; the others by the root of their count
QUESTIONS = {"en": 0.30, "zh": 0.35}  # of a language's texts; other languages with templates:
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

    def one(self, svg, size):
        key = hashlib.sha256(f"{size}\n{svg}".encode()).hexdigest()
        path = os.path.join(self.folder, key[:2], key + ".png")
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            command = ["rsvg-convert", "-a", "-w", str(size), "-h", str(size)]
            try:
                done = subprocess.run(command, input=svg.encode(), capture_output=True, timeout=20)
                Image.open(io.BytesIO(done.stdout)).load()
                data = done.stdout
            except (subprocess.TimeoutExpired, OSError, SyntaxError, ValueError):
                data = b""  # remembered: it will not come out better next time
            with open(path + ".part", "wb") as file:
                file.write(data)
            os.replace(path + ".part", path)
        return path if os.path.getsize(path) else None

    def __call__(self, svgs, size=SIDE):
        """Paths of the drawings in the order of `svgs`, None where one failed."""
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda svg: self.one(svg, size), svgs, chunksize=1))


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
        if text and weight > 0:
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
    """The share of each language: English and Chinese given, the others by the root of their texts."""
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
    ranked = sorted(known, key=lambda text: (-known[text], text))
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
    """[(concept, language, text, weight, base)]: texts and the questions around them; the weights of
    a concept add up to 1. `plain`: concepts that are asked no questions."""
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
    """pictures: (path, concept, weight, kind, stage, flip); texts: (concept, language, text, weight)."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".part", "w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(COLUMNS) + "\n")
        for name, concept, weight, kind, stage, flip in pictures:
            file.write(f"{name}\t\t\t{concept}\t{number(weight)}\t{stage}\t{kind}\t{flip}\n")
        for concept, language, text, weight in texts:
            file.write(f"\t{language}\t{text}\t{concept}\t{number(weight)}\t0\t\t\n")
    os.replace(path + ".part", path)
