"""Makes tests/golden/open_clip_pixels: what open_clip's inference transform makes of the pictures of
tests/golden/pictures and of some tiny ones in every mode, in all its settings.

    python tools/oracle/open_clip_pixels.py tests/golden

Needs open_clip 3.3.0, torchvision 0.28, Pillow 13.0.0 and what pictures.py needs. Deterministic: the
tiny pictures are kept when they exist, the answers are always made anew.
"""
import json
import os
import sys
import warnings

import numpy as np
import PIL
import torchvision_cpu  # before torchvision and open_clip
import torchvision
import open_clip
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict
from PIL import Image, ImageOps

from pictures import chunk, content, deep, exact, fnv_array, jpeg, png

warnings.filterwarnings("ignore")

OPENAI = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}

# name -> (image size of the picture tower, "preprocess_cfg" or None when the file has none)
CONFIGS = {
    "absent": (224, None),
    "laion": (224, {"size": 99, "mode": "RGB", **OPENAI, "interpolation": "bicubic", "resize_mode": "shortest",
                    "fill_color": 0}),
    "squash": (96, {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic",
                    "resize_mode": "squash"}),
    "squash-flat": ([70, 50], {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
                               "interpolation": "bilinear", "resize_mode": "squash", "fill_color": 9}),
    "unscaled": (64, {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear", "resize_mode": "shortest",
                      "fill_color": 200}),
    "longest": (224, {"interpolation": "bicubic", "resize_mode": "longest", "unknown": [1]}),
    "longest-fill": ([90, 61], {**OPENAI, "interpolation": "bilinear", "resize_mode": "longest", "fill_color": 127}),
    "longest-index": ([40, 41], {"resize_mode": "longest", "fill_color": [3]}),
    "longest-colour": (48, {"resize_mode": "longest", "fill_color": [10, 200, 30]}),
    "over-wide": ([60, 97], {"interpolation": "bilinear", "resize_mode": "shortest", "fill_color": 3}),
    "over-tall": ([97, 40], {"mean": [0.5], "std": [0.25]}),
    "scalars": (65, {"mean": 0.5, "std": 0.25, "interpolation": "random", "resize_mode": None, "fill_color": None,
                     "mode": "RGB"}),
    "falsy": (33, {"mean": 0, "std": [], "interpolation": "", "resize_mode": ""}),
}


def tiny():
    """Pictures of a few pixels in every mode: all of them are enlarged, and most need a border."""
    colours = content(16, 16, 213).reshape(-1, 3)
    plte = chunk(b"PLTE", colours[:11].tobytes())
    alpha = deep(5, 2, 206, 4, 8)
    alpha[0, 0, 3], alpha[0, 1, 3], alpha[1, 2, 3] = 0, 1, 255
    return {
        "grey1-2x5.png": png(deep(2, 5, 201, 1, 1), 1, 0),
        "grey1-key-7x3.png": png(deep(7, 3, 202, 1, 1), 1, 0, chunk(b"tRNS", b"\0\1")),
        "grey4-1x4.png": png(deep(1, 4, 203, 1, 4), 4, 0, chunk(b"tRNS", b"\0\7")),
        "palette-3x1.png": png(deep(3, 1, 204, 1, 8) % 11, 8, 3, plte),
        "palette-alphas-4x9.png": png(deep(4, 9, 205, 1, 8) % 11, 8, 3, plte + chunk(b"tRNS", bytes(range(0, 220, 20)))),
        "palette2-6x2.png": png(deep(6, 2, 207, 1, 2), 2, 3, chunk(b"PLTE", colours[5:8].tobytes()), interlaced=True),
        "rgba-5x2.png": png(alpha, 8, 6),
        "rgba-interlaced-3x8.png": png(deep(3, 8, 208, 4, 8), 8, 6, interlaced=True),
        "la-1x6.png": png(deep(1, 6, 209, 2, 8), 8, 4),
        "la16-6x5.png": png(deep(6, 5, 210, 2), 16, 4),
        "rgb-key-4x3.png": png(deep(4, 3, 211, 3, 8), 8, 2, chunk(b"tRNS", bytes(6))),
        "cmyk-3x7.jpg": jpeg(3, 7, 212, mode="CMYK"),
        "grey-9x2.jpg": jpeg(9, 2, 214, mode="L"),
        "thin-1x900.png": png(deep(1, 900, 215, 3, 8), 8, 2),
        "thin-rgba-700x2.png": png(deep(700, 2, 216, 4, 8), 8, 6),
    }


def transform_of(size, given):
    """As create_model_and_transforms puts it together: the tower's size wins over the file's."""
    merged = merge_preprocess_dict(PreprocessCfg(), given or {})
    merged["size"] = tuple(size) if isinstance(size, list) else size
    return image_transform_v2(PreprocessCfg(**merged), is_train=False)


def main():
    root = sys.argv[1]
    folder = os.path.join(root, "open_clip_pixels")
    os.makedirs(folder, exist_ok=True)
    transforms = {}
    for name, (size, given) in CONFIGS.items():
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        config = {"model_cfg": {"vision_cfg": {"image_size": size}}}
        if given is not None:
            config["preprocess_cfg"] = given
        with open(os.path.join(folder, name, "open_clip_config.json"), "w") as f:
            json.dump(config, f, indent=1)
            f.write("\n")
        transforms[name] = transform_of(size, given)
    for name, data in tiny().items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(data)

    with open(os.path.join(root, "pictures", "pictures.json")) as f:
        names = ["pictures/" + e["file"] for e in json.load(f)["pictures"]]
    names += ["open_clip_pixels/" + name for name in tiny()]
    lines, tensors, refused, exceptions = [], 0, 0, []
    for name in names:
        path = os.path.join(root, name)
        image = ImageOps.exif_transpose(Image.open(path))
        if image.mode.startswith("I;16"):
            data = open(path, "rb").read().replace(b"tRNS", b"none")  # which no convert("RGB") looks at
            image = Image.fromarray(exact(data, None)[..., 0], "L")
            exceptions.append(name)
        hashes = []
        for transform in transforms.values():
            try:
                hashes.append(fnv_array(transform(image).numpy().astype(np.float32)))
                tensors += 1
            except ValueError:  # a side of 0 pixels; a colour of three for a mode of other bands
                hashes.append(None)
                refused += 1
        lines.append(json.dumps([name, image.mode, *hashes], separators=(",", ":")))
    with open(os.path.join(folder, "tensors.json"), "w") as f:
        f.write('{"configs":' + json.dumps(list(transforms)) + ',\n"pictures":[\n' + ",\n".join(lines) + "\n]}\n")
    with open(os.path.join(folder, "manifest.json"), "w") as f:
        json.dump({"script": "tools/oracle/open_clip_pixels.py", "open_clip": open_clip.__version__,
                   "torchvision": torchvision.__version__, "pillow": PIL.__version__, "numpy": np.__version__,
                   "reference": "image_transform_v2(PreprocessCfg, is_train=False) of "
                                "ImageOps.exif_transpose(Image.open(file))",
                   "pictures": len(lines), "tensors": tensors, "refused": refused,
                   "hash": "fnv_array of pictures.py over float32 [3, height, width]",
                   "null": "open_clip raises: a side would have 0 pixels, or fill_color has another number of bands "
                           "than the picture",
                   "exceptions": {name: "Pillow makes every 16-bit grey above 255 white; akin takes the high byte"
                                  for name in exceptions}}, f, indent=1)
        f.write("\n")
    print(len(lines), "pictures,", tensors, "tensors,", refused, "refused")


if __name__ == "__main__":
    main()
