#!/usr/bin/env python3
"""Golden gradients of CLIP's two transformer towers.

    train_transformer.py --out tests/golden/train/transformer [--only oc-gelu]

The references are open_clip 3.3.0 and transformers 5.23.0 under PyTorch's autograd, in float64. For
each case the folder holds a checkpoint of random weights in its real form and expected.safetensors,
all of it float32:

    ids [n], starts [texts + 1]    token ids, each text run alone, without padding
    pixels [count, 3, h, w]
    keep [count, kept]             the patches that each picture keeps
    texts, images, kept            projections [.., dimensions]; kept: of the kept patches alone
    dtexts, dimages                the loss is sum(texts * dtexts) + sum(images * dimages)
    grad.NAME                      gradient of that parameter
    kept.NAME                      the picture tower's with sum(kept * dimages) in its place
"""
import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import clip  # noqa: E402
import openclip  # noqa: E402
from openclip import model, text, vit  # noqa: E402


def hf(act, eos, d, heads, length):
    return {"text": {"hidden_size": d, "intermediate_size": 3 * d, "num_hidden_layers": 2,
                     "num_attention_heads": heads, "max_position_embeddings": length,
                     "vocab_size": 60, "hidden_act": act, "eos_token_id": eos,
                     "layer_norm_eps": 1e-5, "bos_token_id": 57, "pad_token_id": 1},
            "vision": {"hidden_size": d + 1 + d % 2, "intermediate_size": 2 * d, "num_hidden_layers": 2,
                       "num_attention_heads": 1, "image_size": 18, "patch_size": 6,
                       "hidden_act": act, "layer_norm_eps": 1e-5},
            "projection_dim": 14, "logit_scale": 3.7}


CASES = {
    "oc-gelu": {
        "about": "causal argmax, exact GELU; class position; mlp_ratio 3.3; grid 4x3",
        "model_cfg": model(13, vit(20, 2, 10, [20, 15], 5, mlp_ratio=3.3),
                           text(18, 3, 2, 12, 60, mlp_ratio=2.5)),
    },
    "oc-tanh": {
        "about": "text. names, no_causal_mask, first, biased projection, LayerScale, eps, tanh "
                 "GELU, logit_bias; average of the patches behind the norm",
        "model_cfg": model(12, vit(10, 2, 5, 12, 4, ls_init_value=0.1, pool_type="avg",
                                   norm_kwargs={"eps": 1e-3}, act_kwargs={"approximate": "tanh"}),
                           text(12, 2, 2, 12, 60, no_causal_mask=True, proj_bias=True,
                                pool_type="first", ls_init_value=0.1, norm_kwargs={"eps": 1e-2},
                                act_kwargs={"approximate": "tanh"}),
                           custom_text=True, init_logit_bias=-10),
    },
    "oc-quick": {
        "about": "quick_gelu, no_causal_mask, last; no norm before the layers, norm behind the "
                 "average; one layer",
        "model_cfg": model(11, vit(18, 1, 9, 16, 4, no_ln_pre=True, pool_type="avg",
                                   final_ln_after_pool=True),
                           text(16, 2, 1, 12, 60, no_causal_mask=True, pool_type="last"),
                           custom_text=True, quick_gelu=True),
    },
    "oc-bare": {
        "about": "causal, eos, no projection; no norm before the layers, class position",
        "model_cfg": model(14, vit(8, 2, 8, 12, 6, no_ln_pre=True),
                           text(14, 2, 2, 12, 60, pool_type="eos", eos_id=58, proj_type="none"),
                           custom_text=True),
    },
    "hf-quick": {"about": "Hugging Face form, quick_gelu, the first end token",
                 **hf("quick_gelu", 58, 12, 2, 12)},
    "hf-silu": {"about": "Hugging Face form, SiLU, argmax (eos_token_id 2)",
                **hf("silu", 2, 9, 3, 12)},
}
IDS = [[57, 3, 9, 58], [57, 58], [57, 3, 3, 3, 20, 59, 58, 7], [57, 9, 10, 11, 12, 58],
       [57, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 58]]
PICTURES = 3


def numbers(seed, shape):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, dtype=np.float32)


class OpenClip:
    def __init__(self, folder, case, seed):
        import open_clip
        from safetensors.torch import save_file

        config = {"model_cfg": case["model_cfg"],
                  "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}
        state = openclip.draw_state(open_clip, folder, config, seed)
        save_file({k: v.contiguous() for k, v in state.items()},
                  folder / "open_clip_model.safetensors", {"format": "pt"})
        self.model = open_clip.create_model(f"local-dir:{folder}").double().eval()
        size = self.model.visual.image_size
        self.size = size if isinstance(size, (tuple, list)) else (size, size)
        self.context = case["model_cfg"]["text_cfg"]["context_length"]
        self.causal = not case["model_cfg"]["text_cfg"].get("no_causal_mask")
        self.patches = self.model.visual.grid_size[0] * self.model.visual.grid_size[1]

    def text(self, ids):
        import torch

        # A causal tower takes full length alone; padding behind the pooled position changes neither
        # the vector nor any gradient.
        more = self.context - len(ids) if self.causal else 0
        return self.model.encode_text(torch.nn.functional.pad(ids, (0, more))[None])[0]

    def images(self, pixels, keep=None):
        import torch

        class Keep(torch.nn.Module):
            def forward(self, x):
                rows = torch.arange(len(x))[:, None]
                return torch.cat((x[:, :1], x[:, 1:][rows, keep]), dim=1)

        self.model.visual.patch_dropout = torch.nn.Identity() if keep is None else Keep()
        return self.model.encode_image(pixels)

    def parameters(self):
        return self.model.named_parameters()


class HuggingFace:
    def __init__(self, folder, case, seed):
        from safetensors.torch import save_file
        from transformers import CLIPModel

        clip.write_json(folder / "config.json", clip.config_json(case))
        state = clip.draw_weights(case, seed)
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        self.model = CLIPModel.from_pretrained(folder, attn_implementation="eager").double().eval()
        self.size = (case["vision"]["image_size"],) * 2
        self.patches = (self.size[0] // case["vision"]["patch_size"]) ** 2

    def text(self, ids):
        return clip.feature(self.model.get_text_features(input_ids=ids[None]))[0]

    def images(self, pixels, keep=None):
        import torch

        def choose(module, args, out):
            rows = torch.arange(len(out))[:, None]
            return torch.cat((out[:, :1], out[:, 1:][rows, keep]), dim=1)

        hook = None
        if keep is not None:
            hook = self.model.vision_model.embeddings.register_forward_hook(choose)
        result = clip.feature(self.model.get_image_features(pixel_values=pixels))
        if hook is not None:
            hook.remove()
        return result

    def parameters(self):
        return self.model.named_parameters()


def gradients(reference):
    found = {name: p.grad.clone() for name, p in reference.parameters() if p.grad is not None}
    for _, p in reference.parameters():
        p.grad = None
    return found


def write_case(name, out, seed):
    import torch
    from safetensors.torch import save_file

    case = json.loads(json.dumps(CASES[name]))
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    form = OpenClip if "model_cfg" in case else HuggingFace
    reference = form(folder, case, seed)
    pixels = torch.from_numpy(numbers(seed + 1, (PICTURES, 3, *reference.size)))
    kept = max(1, reference.patches * 2 // 3)
    generator = np.random.Generator(np.random.PCG64(seed + 2))
    keep = np.stack([np.sort(generator.permutation(reference.patches)[:kept])
                     for _ in range(PICTURES)])
    starts = np.cumsum([0] + [len(ids) for ids in IDS])
    texts = torch.stack([reference.text(torch.tensor(ids)) for ids in IDS])
    images = reference.images(pixels.double())
    dtexts = torch.from_numpy(numbers(seed + 3, tuple(texts.shape)))
    dimages = torch.from_numpy(numbers(seed + 4, tuple(images.shape)))
    (texts * dtexts).sum().backward()
    (images * dimages).sum().backward()
    whole = gradients(reference)
    dropped = reference.images(pixels.double(), torch.from_numpy(keep))
    (dropped * dimages).sum().backward()
    parts = gradients(reference)
    tensors = {"ids": torch.tensor(sum(IDS, [])), "starts": torch.from_numpy(starts),
               "pixels": pixels, "keep": torch.from_numpy(keep), "texts": texts, "images": images,
               "kept": dropped, "dtexts": dtexts, "dimages": dimages,
               **{"grad." + k: v for k, v in whole.items()},
               **{"kept." + k: v for k, v in parts.items()}}
    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()},
              folder / "expected.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)
    return case["about"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=CASES)
    options = parser.parse_args()
    torch, _ = openclip.import_reference()
    torch.set_grad_enabled(True)
    manifest_at = options.out / "manifest.json"
    cases = json.loads(manifest_at.read_text())["cases"] if options.only else {}
    for seed, name in enumerate(CASES):
        if options.only in (None, name):
            cases[name] = write_case(name, options.out, 100 * (seed + 1))
    clip.write_json(manifest_at, {
        "script": "tools/oracle/train_transformer.py",
        "versions": {k: openclip.PINNED[k] for k in ("torch", "open_clip_torch", "transformers",
                                                     "safetensors", "numpy")},
        "cases": {name: cases[name] for name in CASES if name in cases},
    })


if __name__ == "__main__":
    main()
