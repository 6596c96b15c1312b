"""Images, and vision models with a head, for tests."""

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
