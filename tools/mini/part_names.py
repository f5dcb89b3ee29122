"""Part C: single-colour icons whose name at least three sets share and no emoji has, in English."""

import collections

import iconify
import iconnames

SETS, MOST = 3, 5


def build(packages, out, add, options):
    by_words = collections.defaultdict(list)
    for name, icon, words in iconnames.index(packages)[0]:
        if not iconify.info(packages, name).get("palette") and iconnames.is_word(words) \
                and not iconnames.concept_of(options.emoji, words):
            by_words[words].append((name, icon, words))
    chosen = []
    for words in sorted(by_words):
        if len({name for name, _, _ in by_words[words]}) >= SETS \
                and not iconnames.is_brand(packages, words):
            known = iconnames.english(packages, words)
            for name, icon, _ in iconnames.pick(by_words[words], MOST, options.crc):
                chosen.append((f"icon:{words}", name, icon, words, known))
                known = []
    iconnames.draw(packages, options, add, chosen, "icon")
