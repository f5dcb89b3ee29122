"""Part E: clip art of Debian's openclipart-svg (public domain).

Left out: plain shapes, flags, playing cards, buttons, icon themes (their titles name the theme, not
the picture), page templates and patterns, and every file that names the GPL or another licence than
the public domain. So are drawings that rsvg-convert cannot draw in time, empty pictures and near
copies of one drawn before.
"""

import collections
import html
import os
import re

from PIL import Image

import drawing
import heldout

PACKAGE = "openclipart-svg"
SKIP = (
    "shapes/", "special/", "logos/", "buttons/", "computer/buttons/", "computer/folders/",
    "computer/diagrams/", "computer/icons/etiquette-theme/", "computer/icons/flat-theme/",
    "computer/icons/lemon-theme/", "computer/icons/applications/", "signs_and_symbols/flags/",
    "signs_and_symbols/led/", "recreation/games/cards/", "unsorted/duplicates/",
)
# Tags about the collection, not about the picture.
EMPTY_TAGS = set("""hash clip_art clipart clip art externalsource unsorted icon icons computer theme
    image svg vector drawing cartoon color colour people signs_and_symbols public_domain sign symbol
    unchecked misc other black_and_white bw b&w lineart line_art line_drawing inkscape sodipodi
    open_clip_art graphic media how_i_did_it contour outline outlined silhouette shadow isolated
    simple stylized object contest openclipart open clip_art_library map_symbols map_symbol mapsym
    action special shape shapes""".split())
EMPTY_WORDS = set("""clipart clip art svg icon icons vector image picture of drawing bw b&w color
    colour version outline outlined the a an b w and black white fixed new untitled""".split())
UNFIT = re.compile(r"(?i)icon-theme|gold-theme|creation day|clip art collection|pantyhose|stripper"
                   r"|sexy|nude|swastika|xbill|bill gates")
# Who named their drawings in another language than English.
LANGUAGES = {"rollandin": "it", "guillou": "fr"}
MANY = 40  # pictures under one title that are kept


def field(text, name):
    """The contents of the first <NAME> that is not empty, and of all of them as a list."""
    found = re.findall(rf"<{name}[^>/]*>\s*([^<]*?)\s*</{name}>", text)
    return [" ".join(html.unescape(value).split()) for value in found]


def permitted(text):
    """True where the file names no licence but the public domain."""
    if re.search(r"\bL?GPL\b|General Public License", text):
        return False
    named = re.findall(r"<(?:cc:)?[lL]icense\s+rdf:(?:resource|about)=\"([^\"]*)\"", text)
    return all(not n or re.search(r"public\s*domain", n, re.I) for n in named)


def cleaned_title(title, author):
    """'Clipart by Nicu Buculei - pear 02' -> 'pear'; '' where nothing is left."""
    title = title.replace("_", " ")
    title = re.sub(r"(?i)^clipart by [^-]*-", " ", title)
    for part in (author, *author.split()):
        if len(part) > 3:
            title = re.sub(rf"(?i)\b{re.escape(part)}\b", " ", title)
    title = re.sub(r"\([^)]*\)|\[[^\]]*\]|\.\.\.|- RPG map elements|- (?:clothing|body part)\b",
                   " ", title)
    title = re.sub(r"(?i)\barchitetto\b|\bfrancesco\b|\brollandin\b|\bby\b.*$|\.svg\b", " ", title)
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title)
    title = re.sub(r"(?i)\b(?:v|ver|version|r|sm)?[\s.]*\d[\d.]*\b|(?<=[a-z])\d+\b|#\d+", " ",
                   title)
    title = re.sub(r"[^\w\s'&/,-]", " ", title)
    words = " ".join(title.lower().split()).strip(" -,/'&").split()
    while len(words) > 1 and words[0] in ("a", "an", "the", "color", "colour", "contour", "w",
                                          "aiga"):
        words = words[1:]
    while len(words) > 1 and words[-1] in ("icon", "symbol", "clipart", "drawing", "illustration",
                                           "bw", "simple", "color", "colour", "openclipart",
                                           "architetto"):
        words = words[:-1]
    title = " ".join(words).replace("baloon", "balloon").strip(" -,/'&")
    if all(w in EMPTY_WORDS for w in words) or not 3 <= len(title) <= 60 or len(words) > 9:
        return ""
    return title


def file_title(name, author):
    """What a file's name says: cut at 25 characters, with the author's name at its end."""
    words = re.sub(r"[_.-]+", " ", name[:-4]).split()
    parts = [p.lower() for p in re.findall(r"\w+", author)] + ["architetto", "ganson", "bwh"]
    kept = []
    for word in words:
        if kept and any(len(word) > 1 and p.startswith(word.lower()) for p in parts):
            break
        kept.append(word)
    return cleaned_title(" ".join(kept), author)


def cleaned_tag(tag):
    tag = tag.strip().lower()
    if tag in EMPTY_TAGS or not re.fullmatch(r"[a-z][a-z _'-]{2,23}", tag):
        return ""
    return tag.replace("_", " ")


def describe(path, relative):
    """(title, tags, author) of one file, or None where it must not be used. The title may be ''."""
    if os.path.getsize(path) > 1_500_000:
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if not permitted(text):
        return None
    titles = field(text, "dc:title")
    author = titles[1] if len(titles) > 1 else ""
    creator = re.search(r"<dc:creator>.*?<dc:title>\s*([^<]*?)\s*</dc:title>", text, re.S)
    if creator:
        author = html.unescape(creator.group(1))
    tags = [cleaned_tag(t) for t in field(text, "rdf:li")]
    tags += [cleaned_tag(f) for f in relative.split("/")[:-1]]
    if any(UNFIT.search(t) for t in (*tags, *titles[:1], relative)):
        return None
    title = cleaned_title(titles[0], author) if titles else ""
    return title, [t for t in dict.fromkeys(tags) if t], author


def named(found):
    """Settles the titles: one that several files of different names share is a collection's name
    ("road signs"), and the file's own name says more."""
    names = collections.defaultdict(set)
    for path, relative, (title, tags, author) in found:
        names[title].add(file_title(os.path.basename(path), author))
    for path, relative, (title, tags, author) in found:
        own = file_title(os.path.basename(path), author)
        shared = len([n for n in names[title] if n and n not in title and title not in n]) > 1
        if own and (not title or (shared and len(names[title]) > 2)):
            title = own
        if title:
            yield path, relative, title, tags, author


def source(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def build(packages, out, add, options):
    root = os.path.join(packages.folder(PACKAGE), "usr/share/openclipart/svg")
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            if not name.endswith(".svg") or os.path.islink(path) or relative.startswith(SKIP):
                continue
            about = describe(path, relative)
            if about:
                found.append((path, relative, about))
    found = list(named(found))
    told = heldout.Filter()
    frequency = collections.Counter(t for _, _, _, tags, _ in found for t in tags)
    seen = drawing.Seen()
    kept = collections.Counter()
    drawn = options.render([source(path) for path, *_ in found], 288)
    for (path, relative, title, tags, author), drawing_path in zip(found, drawn):
        picture = Image.open(drawing_path).convert("RGBA") if drawing_path else None
        if picture is None or kept[title] >= MANY or told(title):
            continue
        picture = drawing.trimmed(picture)
        if picture is None or max(picture.size) > 8 * min(picture.size) or seen.before(picture):
            continue
        kept[title] += 1
        concept = packages.emoji_concept(title) or "clip:" + title
        # The rarest tags say most.
        tags = sorted((t for t in tags if t != title and frequency[t] > 1),
                      key=lambda t: frequency[t])
        language = next((l for n, l in LANGUAGES.items() if n in author.lower()), "en")
        texts = [(language, title, 1.0)] + [("en", t, 0.25) for t in tags[:3]]
        add(picture, relative[:-4], concept, texts, weight=1.0, kind="art",
            flip=0 if drawing.has_letters(title) else 1, licence="public domain", author=author,
            source=PACKAGE)
