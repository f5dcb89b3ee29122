"""Part B: single-colour icons whose name is an emoji's, at most 20 an emoji."""

import collections

import iconify
import iconnames

MOST = 20


def build(packages, out, add, options):
    emoji = options.emoji
    by_concept = collections.defaultdict(list)
    for name, icon, words in iconnames.index(packages)[0]:
        if iconify.info(packages, name).get("palette"):
            continue
        concept = iconnames.concept_of(emoji, words)
        if concept and (words in emoji.by_slug or not iconnames.is_brand(packages, words)):
            by_concept[concept].append((name, icon, words))
    chosen = []
    for concept in sorted(by_concept):
        for name, icon, words in iconnames.pick(by_concept[concept], MOST, options.crc):
            chosen.append((concept, name, icon, words, [("en", words, 0.3)]))
    # Twenty pictures of one emoji are not met twenty times as often as one.
    count = {concept: min(len(c), MOST) for concept, c in by_concept.items()}
    iconnames.draw(packages, options, add, chosen, "icon", lambda c: count[c] ** -0.5)
