"""What the icons of @iconify/json are called: their sets, their names without marks of style, the
concepts the names stand for, and tags from other icon packages."""

import collections
import functools
import json
import os
import re

import iconify
import texts

# Marks of style, of size and of form that say nothing about what is shown.
STYLE = set("""
    outline outlined filled fill solid bold line linear duotone twotone regular light thin
    rounded round sharp broken two tone flat remix duo glyph stroke stroked s o alt f baseline
    mono monochrome color colour colored mini small large medium big xs sm md lg xl icon icons
    sharper 24px 20px 16px 32px 48px 2x line2 variant simple basic fluent classic
""".split())
SKIPPED_CATEGORIES = ("Logos", "Programming")
BRAND_SETS = ("fa7-brands", "fa-brands", "bxl", "cib", "simple-icons", "logos", "entypo-social",
              "devicon", "skill-icons", "streamline-logos")
SIDED = set("""left right text letter alphabetical a b c number numeric clock font type forward back
    backward backwards play next previous rewind undo redo question percent music note search
    translate language 1 2 3 4 5 6 7 8 9 0 east west clockwise counterclockwise""".split())


def words_of(icon, affixes=()):
    """'baseline-home-24' -> 'home'; the words of an icon's name."""
    words = texts.slug(re.sub(r"([a-z])([A-Z])", r"\1 \2", icon)).split()
    kept = [w for w in words if w not in STYLE and w not in affixes]
    while len(kept) > 1 and kept[-1].isdigit():
        kept.pop()
    return " ".join(kept or words)


@functools.cache
def index(packages):
    """[(set, icon, words)] of the usable sets, and the brands, as words."""
    found, seen = [], collections.Counter()
    for name in iconify.set_names(packages):
        about = iconify.info(packages, name)
        brands = name in BRAND_SETS
        usable = about["license"].get("spdx") in iconify.LICENCES and name not in iconify.SKIPPED \
            and about.get("category") not in SKIPPED_CATEGORIES
        if not usable and not brands:
            continue
        loaded = iconify.load(packages, name)
        affixes = {w for key in ("suffixes", "prefixes") for k in loaded.data.get(key) or {}
                   for w in k.lower().split("-") if not w.isdigit() and len(w) > 2}
        for icon in loaded.names():
            if usable:
                found.append((name, icon, words_of(icon, affixes)))
        if brands:
            seen.update({words_of(icon) for icon in loaded.names()})
    return found, seen


def is_brand(packages, words):
    seen = index(packages)[1]
    parts = words.split()
    return ("logo" in parts or "brand" in parts or seen[words] >= 2 or seen[parts[0]] >= 4)


def concept_of(emoji, words):
    """The emoji an icon's words name, or None: by its name, else by a keyword that only it has."""
    exact = emoji.by_slug.get(words)
    if exact:
        return exact
    for form in (words + "s", words[:-1] if words.endswith("s") else "", words + " face",
                 words.replace(" ", "")):
        if form in emoji.by_slug:
            return emoji.by_slug[form]
    return emoji.by_keyword.get(words) if len(words) > 2 else None


def is_word(words):
    return len(words) > 2 and re.search("[a-z]{3}", words) and len(words.split()) <= 4


def flips(words):
    return 0 if SIDED & set(words.split()) else 1


@functools.cache
def tags(packages):
    """{words: [tag]} of lucide, Font Awesome (without brands) and Phosphor."""
    found = collections.defaultdict(list)
    with open(os.path.join(packages.folder("lucide-static"), "tags.json"),
              encoding="utf-8") as file:
        for icon, words in json.load(file).items():
            found[words_of(icon)] += words
    with open(os.path.join(packages.folder("@fortawesome/fontawesome-free"),
                           "metadata/icon-families.json"), encoding="utf-8") as file:
        for icon, about in json.load(file).items():
            free = about.get("familyStylesByLicense", {}).get("free", [])
            if not any(f["style"] == "brands" for f in free):
                found[words_of(icon)] += [str(t) for t in about["search"]["terms"] if t]
    with open(os.path.join(packages.folder("@phosphor-icons/core"), "dist/index.mjs"),
              encoding="utf-8") as file:
        text = file.read()
    for match in re.finditer(r'\bname:\s*"([\w-]+)"(.*?)tags:\s*\[([^\]]*)\]', text, re.S):
        found[words_of(match.group(1))] += re.findall(r'"([^"*]+)"', match.group(3))
    count = collections.Counter(t.lower() for words in found.values() for t in set(words))
    kept = {}
    for words, listed in found.items():
        listed = dict.fromkeys(" ".join(t.lower().split()) for t in listed)
        listed = [t for t in listed if t != words and count[t] <= 30 and 2 < len(t) < 40
                  and re.search("[a-z]{2}", t)]
        kept[words] = sorted(listed, key=lambda t: count[t])[:6]
    return kept


def english(packages, words):
    """The texts of an icon concept: its words, and tags that share half as much."""
    listed = tags(packages).get(words, [])
    return [("en", words, 1.0)] + [("en", t, 0.5 / len(listed)) for t in listed]


def pick(candidates, most, crc):
    """At most `most` of [(set, icon, words)], from as many sets as there are, by hash."""
    turn, ranked = collections.Counter(), []
    for name, icon, words in sorted(candidates, key=lambda c: crc(f"{c[0]}:{c[1]}")):
        ranked.append((turn[name], crc(f"{name}/{icon}"), name, icon, words))
        turn[name] += 1
    return [(name, icon, words) for _, _, name, icon, words in sorted(ranked)[:most]]


def draw(packages, options, add, chosen, kind, weight=lambda concept: 1.0):
    """Draws [(concept, set, icon, words, texts)] and adds them."""
    by_set = collections.defaultdict(list)
    for entry in chosen:
        by_set[entry[1]].append(entry)
    for name in sorted(by_set):
        icons = iconify.load(packages, name)
        drawn = options.render([icons.svg(e[2]) for e in by_set[name]])
        for (concept, _, icon, words, known), path in zip(by_set[name], drawn):
            if path and visible(path):
                add(path, f"{name}-{icon}", concept, known, weight=weight(concept), kind=kind,
                    flip=flips(words), licence=icons.licence, author=icons.author,
                    source=icons.source)


def visible(path):
    """False for an empty drawing and for a square that is full all over."""
    from PIL import Image
    with Image.open(path) as picture:
        low, high = picture.convert("RGBA").getchannel("A").getextrema()
    return high > 64 and low < 192
