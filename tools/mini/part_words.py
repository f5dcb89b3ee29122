"""Part I: rendered words in the Noto fonts (OFL), on plain grounds, and the pictures of E10.

Fonts are taken by family; the family that E10 hides is never used here, nor are its words
(heldout.py). Concepts: "word:LANGUAGE:WORD".
"""

import functools
import os
import re

from PIL import Image, ImageDraw, ImageFont

import drawing
import heldout
import places

SIDE = 96
COUNT = 5000
ALPHABETS = {"en": r"[a-z]{3,10}", "de": r"[a-zäöüß]{3,11}", "es": r"[a-záéíñóúü]{3,11}",
             "fr": r"[a-zàâçéèêëîïôûù]{3,11}", "it": r"[a-zàèéìòù]{3,11}", "ru": r"[а-яё]{3,11}",
             "pt": r"[a-zãâáàçéêíóôõú]{3,11}", "el": r"[α-ωάέήίόύώϊϋς]{3,11}",
             "zh": r"[\u4e00-\u9fff]{1,4}", "ja": r"[\u3040-\u30ff\u4e00-\u9fff]{2,6}"}
# Of a hundred pictures so many show a word of that language.
MIX = {"en": 50, "zh": 20, "ja": 6, "de": 5, "es": 5, "fr": 4, "ru": 4, "it": 2, "pt": 2, "el": 2}
FONTS = {  # family: (package, files)
    "NotoSans": ("fonts-noto-core", "NotoSans-{}.ttf"),
    "NotoSerif": ("fonts-noto-core", "NotoSerif-{}.ttf"),
    "NotoSansDisplay": ("fonts-noto-core", "NotoSansDisplay-{}.ttf"),
    "NotoSerifDisplay": ("fonts-noto-core", "NotoSerifDisplay-{}.ttf"),
    "NotoSansCJK": ("fonts-noto-cjk", "NotoSansCJK-{}.ttc"),
    "NotoSerifCJK": ("fonts-noto-cjk", "NotoSerifCJK-{}.ttc"),
}
FOLDERS = {"fonts-noto-core": "usr/share/fonts/truetype/noto",
           "fonts-noto-cjk": "usr/share/fonts/opentype/noto"}
COLLECTION = {"ja": 0, "zh": 2}  # which of a .ttc
TESTED = {"en": 200, "zh": 100}


def families(language):
    """(those of training, the hidden one): of the families that have the script, that of the lowest
    hash is hidden."""
    known = [f for f in FONTS if ("CJK" in f) == (language in COLLECTION)]
    known.sort(key=heldout.font_rank)
    return known[1:], known[0]


def font(packages, family, style, size, language):
    package, pattern = FONTS[family]
    path = os.path.join(packages.folder(package), FOLDERS[package], pattern.format(style))
    return opened(path, size, COLLECTION.get(language, 0))


@functools.lru_cache(2000)
def opened(path, size, index):
    return ImageFont.truetype(path, size, index, layout_engine=ImageFont.Layout.BASIC)


def words(emoji, language):
    """Names and keywords of one word, in an order of their own."""
    names, keywords = emoji.names[language], emoji.keywords[language]
    found = {n.lower() for n in names.values()}
    found |= {w.lower() for some in keywords.values() for w, _ in some}
    if language not in COLLECTION:
        found |= {part for name in list(found) for part in name.split()}
    fits = re.compile(ALPHABETS[language])
    return sorted((w for w in found if fits.fullmatch(w)),
                  key=lambda w: (drawing.crc(f"order:{language}:{w}"), w))


def contrasting(r):
    while True:
        ground = tuple(r.randint(0, 255) for _ in range(3))
        ink = tuple(r.randint(0, 255) for _ in range(3))
        if r.random() < 0.4:
            ground, ink = r.choice([((255, 255, 255), ink), (ground, (255, 255, 255)),
                                    (ground, (10, 10, 10)), ((255, 255, 255), (0, 0, 0))])
        light = [0.3 * a + 0.59 * b + 0.11 * c for a, b, c in (ground, ink)]
        if abs(light[0] - light[1]) > 85:
            return ground, ink


def draw(r, packages, family, language, word):
    """A 96 pixel picture of the word."""
    shown = word
    if language not in COLLECTION:
        shown = r.choice([word, word, word.capitalize(), word.upper()])
    style = r.choice(["Regular", "Bold"] if language in COLLECTION else
                     ["Regular", "Bold", "Italic", "BoldItalic"])
    ground, ink = contrasting(r)
    if r.random() < 0.35:
        other = tuple(max(0, min(255, c + r.randint(-45, 45))) for c in ground)
        picture = places.gradient(ground, other, 2 * SIDE, 2 * SIDE).rotate(r.choice([0, 90]))
    else:
        picture = Image.new("RGB", (2 * SIDE, 2 * SIDE), ground)
    wide = r.uniform(0.72, 0.95) * 2 * SIDE
    size = 40
    face = font(packages, family, style, size, language)
    left, top, right, bottom = face.getbbox(shown)
    size = max(10, min(int(size * wide / max(right - left, 1)), 110))
    face = font(packages, family, style, size, language)
    left, top, right, bottom = face.getbbox(shown)
    layer = Image.new("L", picture.size)
    x = (2 * SIDE - (right - left)) / 2 - left + r.uniform(-3, 3)
    y = (2 * SIDE - (bottom - top)) / 2 - top + r.uniform(-0.2, 0.2) * SIDE
    ImageDraw.Draw(layer).text((x, y), shown, fill=255, font=face)
    if r.random() < 0.4:
        layer = layer.rotate(r.uniform(-9, 9), Image.BICUBIC)
    picture.paste(ink, (0, 0), layer)
    return picture.resize((SIDE, SIDE), Image.BOX)


def sentence(language, word):
    """The sentence that E10 compares."""
    return {"zh": f"文字“{word}”", "ja": f"「{word}」という文字"}.get(language, f'the word "{word}"')


def texts(r, language, word):
    if language == "zh":
        some = [f"写着“{word}”的图片", f"“{word}”这个词", f"上面写着{word}", f"图片上写的是什么字？{word}"]
        return [("zh", word, 1), ("zh", sentence("zh", word), 2)] + [
            ("zh", t, 0.7) for t in r.sample(some, 2)] + [("en", f'the Chinese word "{word}"', 0.5)]
    if language == "ja":
        return [("ja", word, 1), ("ja", sentence("ja", word), 2),
                ("en", f'the Japanese word "{word}"', 0.5)]
    some = [f"the word {word}", f'text that says "{word}"', f"the written word {word}",
            f'a picture of the word "{word}"', f'what does it say? "{word}"',
            f"{word} written in letters"]
    found = [(language, word, 1), ("en", sentence("en", word), 2)]
    return found + [("en", t, 0.6) for t in r.sample(some, 3)]


def build(packages, out, add, options):
    count = getattr(options, "words", None) or COUNT
    for language, share in MIX.items():
        known = [w for w in words(options.emoji, language) if not heldout.hidden_word(language, w)]
        trained, _ = families(language)
        for number in range(count * share // 100):
            word = known[number % len(known)]
            r = drawing.rng("word", language, word, number)
            picture = draw(r, packages, r.choice(trained), language, word)
            # The sentences depend on the word alone: one concept, one set of texts.
            add(picture, f"{language}-{number:04d}", f"word:{language}:{word}",
                texts(drawing.rng("texts", language, word), language, word), kind="word", flip=0,
                licence="OFL-1.1", author="the Noto authors",
                source="fonts-noto-core, fonts-noto-cjk")


def held_out(packages, emoji, out):
    """Draws E10: words and fonts that build() never uses. [{path, language, word, sentence}]"""
    rows = []
    os.makedirs(os.path.join(out, "e10"), exist_ok=True)
    for language, count in TESTED.items():
        known = [w for w in words(emoji, language) if heldout.hidden_word(language, w)
                 and (language not in COLLECTION or len(w) > 1)]
        _, hidden = families(language)
        for number, word in enumerate(known[:count]):
            r = drawing.rng("e10", language, word)
            path = f"e10/{language}-{number:03d}.png"
            draw(r, packages, hidden, language, word).save(os.path.join(out, path))
            rows.append({"path": path, "language": language, "word": word,
                         "sentence": sentence(language, word)})
    return rows
