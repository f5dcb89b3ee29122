"""Part H: flags, square, round and wide, with the names of their territories in every language."""

import json
import os
import re

import iconify

SETS = ("flag", "circle-flags", "flagpack", "cif")
BRITISH = {"gb-eng": "GBENG", "gb-sct": "GBSCT", "gb-wls": "GBWLS"}


def concept_of(icon, emoji):
    """'de-4x3' -> '1f1e9-1f1ea'; None for what is no flag of a territory."""
    icon = re.sub(r"-(4x3|1x1)$", "", icon)
    if icon in BRITISH:
        tags = "".join(chr(0xE0000 + ord(c)) for c in BRITISH[icon].lower())
        concept = "-".join(["1f3f4"] + [f"{ord(t):x}" for t in tags] + ["e007f"])
    elif re.fullmatch("[a-z]{2}", icon):
        concept = "-".join(f"{0x1F1E6 + ord(c) - 97:x}" for c in icon)
    else:
        return None
    return concept if concept in emoji.group else None


def territory_texts(packages, emoji):
    """Adds [(concept, language, text, weight)] of what territories are called."""
    main = os.path.join(packages.folder("cldr-localenames-full"), "main")
    flags = {}
    for concept in emoji.order:
        points = [int(p, 16) for p in concept.split("-")]
        if len(points) == 2 and all(0x1F1E6 <= p <= 0x1F1FF for p in points):
            flags["".join(chr(p - 0x1F1E6 + 65) for p in points)] = concept
    for language in sorted(emoji.names):
        path = os.path.join(main, language, "territories.json")
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            names = json.load(file)["main"][language]["localeDisplayNames"]["territories"]
        for code, concept in flags.items():
            name = names.get(code, code)
            if name == code:
                continue
            yield concept, language, name, 0.6
            if language == "en":
                yield concept, language, f"flag of {name}", 0.4
                yield concept, language, f"{name} flag", 0.3
            elif language == "zh":
                yield concept, language, f"{name}国旗", 0.4
                yield concept, language, f"{name}的旗帜", 0.3


def build(packages, out, add, options):
    emoji = options.emoji
    for concept, language, name, weight in territory_texts(packages, emoji):
        options.rows.text("emoji", concept, language, name, weight)
    for name in SETS:
        icons = iconify.load(packages, name)
        chosen = [(concept_of(i, emoji), i) for i in icons.names() if concept_of(i, emoji)]
        drawn = options.render([icons.svg(i) for _, i in chosen])
        for (concept, icon), path in zip(chosen, drawn):
            if path:
                add(path, f"{name}-{icon}", concept, kind="art", flip=0, licence=icons.licence,
                    author=icons.author, source=icons.source)
