"""Part F: rendered objects of Debian's sweethome3d-furniture, with names in 21 languages.

Each .sh3f archive is a zip of renders (PNG, 128 px and more) and catalogues in Java's properties
form, one a language; the English one also names licence and creator. CC0 and CC-BY only, as the
package's copyright file says for each archive.
"""

import io
import os
import re
import zipfile

from PIL import Image

import drawing

PACKAGE = "sweethome3d-furniture"
LICENCES = {
    "BlendSwap-CC-0": "CC0-1.0", "BlendSwap-CC-BY": "CC-BY-3.0", "KatorLegaz": "CC-BY-3.0-US",
    "Reallusion": "CC-BY-3.0-US", "Scopia": "CC-BY-3.0",
}
LANGUAGES = {"zh_CN": "zh", "zh_TW": "zh-Hant", "pt_PT": "pt-PT", "en_US": None}
LIMIT = 4 << 20  # bytes of one file in an archive


def properties(text):
    """Java's .properties: key=value lines with \\uXXXX."""
    found = {}
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#!" and "=" in line:
            key, value = line.split("=", 1)
            value = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), value)
            found[key.strip()] = " ".join(value.replace("\\", "").split())
    return found


def catalogue(archive, name):
    info = archive.getinfo(name)
    if info.file_size > LIMIT:
        raise ValueError(f"{name}: {info.file_size} bytes")
    return properties(archive.read(info).decode("latin-1"))


def has_own_words(language, text, english):
    """A catalogue repeats the English name where it has no translation."""
    return text and (text != english or len(text) < 4) and language


def build(packages, out, add, options):
    folder = os.path.join(packages.folder(PACKAGE), "usr/share/sweethome3d/furniture")
    seen = drawing.Seen(2.0)
    for file in sorted(os.listdir(folder)):
        stem = file[:-5]
        if not file.endswith(".sh3f") or stem not in LICENCES:
            continue
        with zipfile.ZipFile(os.path.join(folder, file)) as archive:
            names = set(archive.namelist())
            english = catalogue(archive, "PluginFurnitureCatalog.properties")
            others = {}
            for name in sorted(names):
                match = re.fullmatch(r"PluginFurnitureCatalog_(\w+)\.properties", name)
                if match and LANGUAGES.get(match.group(1), match.group(1)):
                    others[LANGUAGES.get(match.group(1), match.group(1))] = catalogue(archive, name)
            count = sum(key.startswith("id#") for key in english)
            for i in range(1, count + 1):
                title, icon = english.get(f"name#{i}"), english.get(f"icon#{i}", "").lstrip("/")
                if not title or icon not in names or archive.getinfo(icon).file_size > LIMIT:
                    continue
                picture = Image.open(io.BytesIO(archive.read(icon))).convert("RGBA")
                picture = drawing.trimmed(picture)
                if picture is None or seen.before(picture):
                    continue
                plain = title.lower()
                texts = [("en", plain, 3.0)]
                for language, names_there in others.items():
                    text = names_there.get(f"name#{i}", "")
                    if has_own_words(language, text, title):
                        texts.append((language, text, 2.0 if language == "zh" else 1.0))
                for tag in english.get(f"tags#{i}", "").split(","):
                    tag = tag.strip().lower()
                    if len(tag) > 2 and tag not in (plain, "blend swap", "people", "double"):
                        texts.append(("en", tag, 0.5))
                concept = packages.emoji_concept(plain) or "furniture:" + plain
                add(picture, os.path.splitext(icon)[0].replace("/", "-"), concept, texts,
                    kind="art", licence=LICENCES[stem],
                    author=english.get(f"creator#{i}") or stem, source=f"{PACKAGE} {file}")
