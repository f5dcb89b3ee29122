"""Icon sets of @iconify/json: their icons as SVG, their licence and author."""

import functools
import json
import os

LICENCES = {"MIT": "MIT", "Apache-2.0": "Apache-2.0", "ISC": "ISC", "CC0-1.0": "CC0-1.0",
            "CC-BY-4.0": "CC-BY-4.0", "CC-BY-3.0": "CC-BY-3.0", "OFL-1.1": "OFL-1.1",
            "Unlicense": "public domain"}
# Not used: logos and marks; emoji whose art is under other terms than the set says, or held out.
SKIPPED = ("emojione", "emojione-monotone", "emojione-v1", "openmoji", "logos",
           "simple-icons", "skill-icons", "devicon", "devicon-plain", "cib", "brandico",
          "fa-brands", "fa6-brands", "fa7-brands", "token", "token-branded", "cryptocurrency",
          "cryptocurrency-color", "arcticons", "vscode-icons", "material-icon-theme", "file-icons",
          "catppuccin", "nonicons", "entypo-social", "bxl", "unjs", "geo", "svg-spinners",
          "line-md", "eos-icons")


class Set:
    def __init__(self, name, data, info, version):
        self.name, self.data, self.info = name, data, info
        spdx = info.get("license", {}).get("spdx", "")
        self.licence = LICENCES.get(spdx, spdx)
        self.allowed = spdx in LICENCES
        self.author = info.get("author", {}).get("name", "")
        self.source = f"@iconify/json {version}: {name} ({info.get('name', name)})"
        self.colour = bool(info.get("palette"))

    def names(self):
        """The icons in the order of their names, without hidden ones."""
        return [n for n, i in sorted(self.data["icons"].items()) if not i.get("hidden")]

    def svg(self, icon, colour="black"):
        about = self.data["icons"][icon]
        left, top = (about.get(k, self.data.get(k, 0)) for k in ("left", "top"))
        width, height = (about.get(k, self.data.get(k, 16)) for k in ("width", "height"))
        body = about["body"]
        return (f'<svg xmlns="http://www.w3.org/2000/svg" '
                f'xmlns:xlink="http://www.w3.org/1999/xlink" color="{colour}" '
                f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">'
                f"{body}</svg>")


@functools.cache
def collections_of(folder):
    with open(os.path.join(folder, "collections.json"), encoding="utf-8") as file:
        return json.load(file)


def set_names(packages):
    return sorted(collections_of(packages.folder("@iconify/json")))


def info(packages, name):
    return collections_of(packages.folder("@iconify/json"))[name]


def load(packages, name):
    folder = packages.folder("@iconify/json")
    with open(os.path.join(folder, "json", name + ".json"), encoding="utf-8") as file:
        return Set(name, json.load(file), info(packages, name), packages.version("@iconify/json"))
