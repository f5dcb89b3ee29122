"""Makes tests/golden/pictures/cut.json: what Pillow makes of JPEGs that end early when it is told to
take them.

    python tools/oracle/cut_pictures.py tests/golden

Needs Pillow 13.0.0, numpy and what pictures.py needs. A row is [file of tests/golden/pictures, bytes
kept, first row that differs from the whole picture (its height when none does), hash of the
pixels, their mean].
"""
import io
import json
import os
import sys

import numpy as np
import PIL
from PIL import Image, ImageFile

from pictures import fnv_array

FILES = ["jpeg-444.jpg", "jpeg-420.jpg", "jpeg-440.jpg", "jpeg-411.jpg", "jpeg-restart.jpg", "jpeg-grey.jpg",
         "jpeg-grey-2x2.jpg", "jpeg-ycck.jpg", "jpeg-cmyk-adobe.jpg", "jpeg-rgb-adobe.jpg",
         "jpeg-progressive-420.jpg", "jpeg-progressive-440.jpg", "jpeg-grey-progressive.jpg",
         "jpeg-ycck-progressive.jpg", "jpeg-separate-scans.jpg", "jpeg-chroma-uneven.jpg", "size-640x480.jpg"]
PARTS = [0.2, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99]


def pixels(data):
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def main():
    root = sys.argv[1]
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    rows = []
    for name in FILES:
        with open(os.path.join(root, "pictures", name), "rb") as f:
            data = f.read()
        whole = pixels(data)
        for size in [int(len(data) * p) for p in PARTS] + [len(data) - n for n in (6, 3, 2, 1)]:
            try:
                got = pixels(data[:size])
            except OSError:
                rows.append([name, size, 0, None, 0])
                continue
            differs = (got != whole).any((1, 2))
            rows.append([name, size, int(differs.argmax()) if differs.any() else len(whole), fnv_array(got),
                         round(float(got.mean()), 4)])
    with open(os.path.join(root, "pictures", "cut.json"), "w") as f:
        f.write('{"script":"tools/oracle/cut_pictures.py","pillow":"' + PIL.__version__ +
                '","reference":"ImageFile.LOAD_TRUNCATED_IMAGES","rows":[\n' +
                ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]}\n")
    print(len(rows), "cut pictures")


if __name__ == "__main__":
    main()
