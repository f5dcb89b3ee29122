"""Import this before open_clip where PyTorch is a CPU build: torchvision's wheels on PyPI bring operators
compiled for CUDA, which do not load beside it. None of them is needed to resize and crop; this declares
the two whose absence stops the import, and passes over the registrations of the others."""

import torch

_library = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _library.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_register = torch.library.register_fake


def _skip(name, *args, **kwargs):
    if isinstance(name, str) and name.startswith("torchvision::"):
        return lambda function: function
    return _register(name, *args, **kwargs)


torch.library.register_fake = _skip
import torchvision  # noqa: E402,F401

torch.library.register_fake = _register
