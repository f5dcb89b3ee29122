"""Part A: emoji in five styles, and what they are called in every language.

Noto and Twemoji come as vectors where @iconify/json has them and as 64-pixel pictures elsewhere.
"""

import collections
import glob
import os

from PIL import Image

import iconify
import texts

STYLES = ("google", "twitter", "fluent3d", "fluentflat", "noto1")
LIGHTER = {"People & Body": 0.35, "Flags": 0.35}
TONE_WEIGHT = 0.12
TONES_KEPT = 2  # skin tones a concept and style


def files(packages, style):
    """[(concept, skin tones, path)] of a style that comes as pixels."""
    if style == "fluent3d":
        pattern = os.path.join(packages.folder("@lobehub/fluent-emoji-3d"), "assets/*.webp")
    else:
        folder = packages.folder(f"emoji-datasource-{style}")
        pattern = os.path.join(folder, f"img/{style}/64/*.png")
    for path in sorted(glob.glob(pattern)):
        try:
            concept, tones = texts.code_of_file(os.path.splitext(os.path.basename(path))[0])
        except ValueError:
            continue
        yield concept, tones, path


def build(packages, out, add, options):
    emoji = options.emoji
    for concept in emoji.order:
        add(None, "", concept, emoji.texts(concept))

    def put(style, concept, picture, tone="", weight=1.0, licence="", author="", source=""):
        weight *= LIGHTER.get(emoji.group[concept], 1.0)
        add(picture, f"{style}-{concept}{tone}", concept, weight=weight, kind="art",
            flip=0 if emoji.group[concept] in ("Flags", "Symbols") else 1,
            licence=licence, author=author, source=source)

    vectors = {}  # (style, concept) -> (svg, icon set)
    for style, name in (("google", "noto"), ("twitter", "twemoji"), ("noto1", "noto-v1"),
                        ("fluentflat", "fluent-emoji-flat")):
        icons = iconify.load(packages, name)
        for icon in icons.names():
            concept = emoji.by_slug.get(texts.slug(icon))
            if concept and (style, concept) not in vectors:
                vectors[style, concept] = icons.svg(icon), icons
    order = sorted(vectors)
    drawn = dict(zip(order, options.render([vectors[k][0] for k in order])))
    done = set()
    for key in order:
        if drawn[key]:
            style, concept = key
            icons = vectors[key][1]
            put(style, concept, drawn[key], licence=icons.licence, author=icons.author,
                source=icons.source)
            done.add(key)
    about = {"google": ("Apache-2.0", "Google (Noto Emoji), collected by emoji-datasource"),
             "twitter": ("CC-BY-4.0", "Twitter (Twemoji), collected by emoji-datasource"),
             "fluent3d": ("MIT", "Microsoft (Fluent Emoji), collected by LobeHub")}
    for style in ("google", "twitter", "fluent3d"):
        name = "@lobehub/fluent-emoji-3d" if style == "fluent3d" else f"emoji-datasource-{style}"
        licence, author = about[style]
        toned = collections.defaultdict(list)
        for concept, tones, path in files(packages, style):
            if concept not in emoji.group:
                continue
            if tones:
                toned[concept].append((tones, path))
            elif (style, concept) not in done:
                done.add((style, concept))
                put(style, concept, Image.open(path), licence=licence, author=author,
                    source=f"{name} {packages.version(name)}")
        for concept, variants in sorted(toned.items()):
            variants.sort(key=lambda v: options.crc(style + os.path.basename(v[1])))
            for tones, path in variants[:TONES_KEPT]:
                tone = "-" + "-".join(f"{t:x}" for t in tones)
                put(style, concept, Image.open(path), tone, TONE_WEIGHT, licence, author,
                    f"{name} {packages.version(name)}")
