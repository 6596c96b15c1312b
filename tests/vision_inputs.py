"""Images, and vision models with a head, for tests."""

from PIL import Image

from dlx.layers import Layer
from dlx.models import Model
from dlx.tensors import TensorSpec

PHOTO = TensorSpec((3, 224, 224), "CHW")
CIFAR = TensorSpec((3, 32, 32), "CHW")
SCAN = TensorSpec((1, 128, 128), "CHW")
CLASSES = {PHOTO: 1000, CIFAR: 10, SCAN: 2}


def with_head(model, x):
    """The tree of a model with what classification (or, on a scan, segmentation) puts behind it."""
    body = Model.model_validate(model).tree(x)
    if x == SCAN:
        return Layer.model_validate([*body.layers, {"conv": {"channels": 2, "kernel": 1}}])
    pool = [] if body.shape(x).axes == "F" else ["global_pool"]
    return Layer.model_validate([*body.layers, *pool, {"linear": CLASSES[x]}])


def with_options(name, **options):
    """Return the spelling of a model with options, which can be hashed."""
    return tuple({"type": name, **options}.items())


# Multiply-adds of one 224 × 224 image in units of 10⁹, as the papers and model cards state them ("FLOPs" there).
MULTIPLY_ADDS = [
    (with_options("alexnet"), 0.714),
    (with_options("vgg", depth=16), 15.47),
    (with_options("googlenet"), 1.50),
    (with_options("resnet", depth=18), 1.81),
    (with_options("resnet", depth=50), 4.09),
    (with_options("resnet", depth=152), 11.51),
    (with_options("densenet", depth=121), 2.83),
    (with_options("mobilenet", version=1), 0.569),
    (with_options("mobilenet", version=2), 0.301),
    (with_options("convnext", size="tiny"), 4.46),
]


def write_photos(root):
    """Write three photographs of a cat into `photos/cat`; return this folder."""
    folder = root / "photos" / "cat"
    folder.mkdir(parents=True)
    for i in range(3):
        Image.effect_noise((64, 48), 50).convert("RGB").save(folder / f"good{i}.png")
    return folder
