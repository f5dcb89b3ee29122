"""Part D: icons in colour; one with an emoji's name is a picture of the emoji."""

import collections

import iconify
import iconnames

SETS = ("icon-park", "fluent-color", "flat-color-icons", "meteocons", "marketeq", "flat-ui",
        "streamline-emojis", "fxemoji")
MOST = 12  # pictures a concept
EMOJI_WEIGHT = 2.0  # of a picture that has an emoji's texts in all languages


def build(packages, out, add, options):
    emoji, by_concept = options.emoji, collections.defaultdict(list)
    for name, icon, words in iconnames.index(packages)[0]:
        if name not in SETS and not (name.startswith("streamline-") and name.endswith("-color")):
            continue
        concept = iconnames.concept_of(emoji, words)
        if not concept and iconnames.is_word(words):
            concept = "icon:" + words
        if concept and (words in emoji.by_slug or not iconnames.is_brand(packages, words)):
            by_concept[concept].append((name, icon, words))
    chosen = []
    for concept in sorted(by_concept):
        for name, icon, words in iconnames.pick(by_concept[concept], MOST, options.crc):
            known = iconnames.english(packages, words) if concept.startswith("icon:") \
                else [("en", words, 0.3)]
            chosen.append((concept, name, icon, words, known))
    iconnames.draw(packages, options, add, chosen, "art",
                   lambda c: 1.0 if c.startswith("icon:") else EMOJI_WEIGHT)
