"""Segmentation: losses and measures of masks against other implementations, masks that move with their images."""

import inspect

import kornia
import numpy as np
import pytest
import sklearn.metrics
import torch
import yaml
from kit import refusals
from PIL import Image

import dlx
from dlx.augmentations import Augmentation
from dlx.component import leaf_class, types
from dlx.engine.data.batches import build_augmentation
from dlx.errors import RecipeError, ShapeError
from dlx.facts import DataFacts
from dlx.figures.base import new_figure
from dlx.losses import Loss
from dlx.tasks import Learning, Task
from dlx.tasks.segmentation.figures import add_legend, class_colors, iou_by_class
from dlx.tensors import Stats, TensorSpec

CLASSES = ("ground", "road", "car")
SIDE = 24
FACTS = DataFacts(
    {
        "image": TensorSpec((1, SIDE, SIDE), "CHW", "uint8", stats=Stats(high=(255.0,))),
        "target": TensorSpec((SIDE, SIDE), "HW", "int64", vocab=(3,)),
    },
    ("image",),
    "target",
    CLASSES,
    class_counts=(100, 20, 10),
)


def blocks(batch=4):
    """Masks of rectangles, two classes on the first."""
    masks = torch.zeros(batch, SIDE, SIDE, dtype=torch.long)
    for i in range(batch):
        masks[i, 2 + i : 12, 3:20] = 1
        masks[i, 15:21, 4 + i : 16] = 2
    return masks


def scores(masks):
    torch.manual_seed(0)
    return torch.randn(len(masks), 3, SIDE, SIDE) + 2 * torch.nn.functional.one_hot(masks, 3).movedim(-1, 1)


def built(task):
    from torch import nn

    spec = Task.model_validate(task)
    return spec.build({"network": nn.Identity()}, FACTS, Learning({}, {}))


def test_dice_is_kornias_and_every_image_counts_the_same():
    masks, output = blocks(), scores(blocks())
    loss = Loss.model_validate({"dice": {"smooth": 1e-6}}).build(FACTS)
    each = [kornia.losses.dice_loss(o[None], m[None], average="macro") for o, m in zip(output, masks, strict=True)]
    torch.testing.assert_close(loss(output, masks), torch.stack(each).mean(), rtol=1e-4, atol=1e-5)
    alone = [loss(o[None], m[None]) for o, m in zip(output, masks, strict=True)]
    torch.testing.assert_close(loss(output, masks), torch.stack(alone).mean())


def test_dice_without_background_and_with_cross_entropy():
    masks, output = blocks(), scores(blocks())
    p, y = output.softmax(1)[:, 1:], torch.nn.functional.one_hot(masks, 3).movedim(-1, 1)[:, 1:]
    both = (2 * (p * y).sum((2, 3)) + 3) / (p.sum((2, 3)) + y.sum((2, 3)) + 3)
    expected = 1 - both.mean() + 0.5 * torch.nn.functional.cross_entropy(output, masks)
    loss = Loss.model_validate(
        {"dice": {"smooth": 3.0, "include_background": False, "cross_entropy_weight": 0.5}}
    ).build(FACTS)
    torch.testing.assert_close(loss(output, masks), expected)


def test_other_losses_see_each_pixel_as_a_sample():
    masks, output = blocks(), scores(blocks())
    plain = built("segmentation").output_loss(output, {"target": masks})
    torch.testing.assert_close(plain, torch.nn.functional.cross_entropy(output, masks))
    focal = built({"segmentation": {"loss": {"focal": 2.0}}}).output_loss(output, {"target": masks})
    expected = kornia.losses.focal_loss(output, masks, alpha=None, gamma=2.0, reduction="mean")
    torch.testing.assert_close(focal, expected * 3, rtol=1e-4, atol=1e-5)  # kornia divides by the classes too


def test_overlaps_are_scikit_learns_over_all_batches():
    module, masks = built("segmentation"), blocks()
    predictions = scores(masks).softmax(1)
    for part in (slice(0, 3), slice(3, None)):
        module.update_metrics(predictions[part], masks[part])
    module.loss_meter.update(0.0)
    measured = module.compute_metrics("val")
    true, predicted = masks.flatten(), predictions.argmax(1).flatten()
    for name, iou in zip(CLASSES, sklearn.metrics.jaccard_score(true, predicted, average=None), strict=True):
        assert measured[f"val/iou.{name}"].item() == pytest.approx(iou)
    assert measured["val/mean_iou"].item() == pytest.approx(
        sklearn.metrics.jaccard_score(true, predicted, average="macro")
    )
    assert measured["val/accuracy"].item() == pytest.approx((true == predicted).float().mean().item())


def test_a_class_that_is_nowhere_does_not_count_in_the_mean():
    module = built("segmentation")
    masks = torch.zeros(1, 4, 4, dtype=torch.long)
    masks[0, :2] = 1
    module.update_metrics(torch.nn.functional.one_hot(masks, 3).movedim(-1, 1).float(), masks)
    module.loss_meter.update(0.0)
    measured = module.compute_metrics("val")
    assert measured["val/mean_iou"].item() == 1.0
    assert measured["val/iou.car"].item() == 0.0


# -- masks move with their images --------------------------------------------------------------------------------------

MOVING = [
    "random_horizontal_flip",
    "random_vertical_flip",
    {"random_crop": {"padding": 4}},
    {"random_crop": {"size": 16}},
]
MOVING += [{"random_affine": {"degrees": 20, "translate": 0.1, "scale": [0.8, 1.2]}}, {"random_rotation": 40}]


@pytest.mark.parametrize("change", MOVING, ids=str)
def test_a_mask_moves_as_its_image_does(change):
    masks = blocks(16)
    step = build_augmentation([Augmentation.model_validate(change)], FACTS)
    torch.manual_seed(1)
    batch = step({"image": 100.0 * masks[:, None], "target": masks})
    moved = batch["target"]
    assert moved.dtype == torch.int64
    assert set(moved.unique().tolist()) <= {0, 1, 2}
    assert not torch.equal(moved, masks)
    away = (batch["image"][:, 0] - 100 * moved).abs()
    assert (away < 60).float().mean() > 0.98  # but for edges, which images blend


def test_the_nearest_pixel_is_no_half_pixel_away():
    masks = torch.zeros(1, SIDE, SIDE, dtype=torch.long)
    masks[0, :, 12:] = 1
    step = build_augmentation([Augmentation.model_validate({"random_crop": {"size": 12}})], FACTS)
    torch.manual_seed(0)
    batch = step({"image": masks[:, None].float(), "target": masks})
    assert torch.equal(batch["target"], (batch["image"][:, 0] > 0.5).long())


MOVING_NAMES = {change if isinstance(change, str) else next(iter(change)) for change in MOVING}


def takes(augmentation, x):
    """Say whether an augmentation is one of such inputs."""
    try:
        augmentation.validate_input(x)
    except ShapeError:
        return False
    return True


@pytest.mark.parametrize("name", [n for n in types("augmentations") if n not in MOVING_NAMES])
def test_what_does_not_move_pixels_leaves_masks_and_all_else_is_refused(name, tmp_path):
    change = inspect.getdoc(leaf_class("augmentations", name)).partition("Example:")[2].strip()
    leaf = Augmentation.model_validate(yaml.safe_load(change))
    if leaf.keeps_masks and takes(leaf, TensorSpec((1, SIDE, SIDE), "CHW")):
        masks = blocks()
        _, target = leaf.build(TensorSpec((1, SIDE, SIDE), "CHW"), 3)(torch.rand(4, 1, SIDE, SIDE), masks)
        assert torch.equal(target, masks)
        return
    with pytest.raises(RecipeError) as caught:
        dlx.plan.make(loaded(tmp_path, augment=f"[{change}]"))
    (found,) = caught.value.diagnostics
    assert any(word in found.message for word in ("mask", "mixtures", "takes text"))
    assert found.line == 4


def loaded(tmp_path, augment="[]", **changes):
    (tmp_path / "r.yaml").write_text(
        "task: segmentation\n"
        "data:\n"
        "  source: {shapes: {n_samples: 40, image_size: 16}}\n"
        f"  augment: {augment}\n"
        "model: {type: layers, layers: [{conv: {channels: 6, kernel: 3, padding: same}}, relu]}\n"
        "train: {epochs: 2, batch_size: 8}\n"
        "hardware: {accelerator: cpu, num_threads: 1}\n"
    )
    return dlx.load(tmp_path / "r.yaml", changes)


def test_the_head_is_a_convolution_of_one_pixel(tmp_path):
    plan = dlx.plan.make(loaded(tmp_path))
    assert str(plan.networks["network"].output) == "4 × 16 × 16"
    assert plan.networks["network"].rows[-1].cost.parameters == 4 * (6 + 1)
    assert plan.resolved.data.split.by == "random"


def test_an_output_of_another_size_is_refused_at_its_line(tmp_path):
    with pytest.raises(RecipeError) as caught:
        dlx.plan.make(loaded(tmp_path, **{"model.layers": ["identity", {"max_pool": 2}]}))
    assert "4 × 16 × 16" in caught.value.diagnostics[0].message


def test_a_network_that_forgets_where_pixels_are_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="features of every pixel, but the model ends in 8"):
        dlx.plan.make(loaded(tmp_path, model={"mlp": [8]}))


def test_masks_and_classes_are_told_apart():
    (problem,) = refusals(Task.model_validate("classification"), FACTS)
    assert "use segmentation" in problem.message
    one_each = DataFacts(
        {**FACTS.fields, "target": TensorSpec((), "", "int64", vocab=(3,))}, ("image",), "target", CLASSES
    )
    (problem,) = refusals(Task.model_validate("segmentation"), one_each)
    assert "one class a sample" in problem.message


# -- the whole way -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images of bright discs and squares on dark ground, with masks, in two folders."""
    random = np.random.default_rng(0)
    for i in range(30):
        mask = np.zeros((16, 16), np.uint8)
        y, x = random.integers(0, 8, 2)
        mask[y : y + 8, x : x + 8] = 1
        image = (40 + 150 * mask + random.normal(0, 10, mask.shape)).clip(0, 255).astype(np.uint8)
        for kind, array in (("images", image), ("masks", mask)):
            (tmp_path / "cells" / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(tmp_path / "cells" / kind / f"{i:02}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_of_images_and_masks_is_learned_judged_and_predicted(folder):
    (folder / "r.yaml").write_text(
        "name: cells\ntask: segmentation\n"
        "data:\n"
        "  source: {image_masks: {path: cells, channels: 1, classes: [ground, cell]}}\n"
        "  augment: [random_horizontal_flip]\n"
        "model: {type: layers, layers: [{conv: {channels: 4, kernel: 3, padding: same}}, relu]}\n"
        "optimizer: {adam: {lr: 0.03}}\n"
        "train: {epochs: 8, batch_size: 8}\n"
        "hardware: {accelerator: cpu, num_threads: 1}\n"
    )
    run = dlx.train("r.yaml")
    assert run.metrics["test/iou.cell"] > 0.9
    assert {"worst_masks", "iou", "confusion_matrix"} <= {path.stem for path in run.figures}
    assert dlx.evaluate("last").metrics["test/mean_iou"] == pytest.approx(run.metrics["test/mean_iou"])
    picture = folder / "cells" / "images" / "03.png"
    (said,) = dlx.predict("last", [picture]).columns["mask"]
    true = np.asarray(Image.open(folder / "cells" / "masks" / "03.png"))
    assert sklearn.metrics.jaccard_score(true.ravel(), np.ravel(said)) > 0.85


def test_the_legend_names_every_class_that_is_in_the_masks():
    classes = tuple(f"class number {i} with a long name" for i in range(30))
    figure = new_figure(6, 3)
    masks = [[np.array([[0, 29], [3, 3]])], [np.array([[7, 7], [3, 25]])]]
    add_legend(figure, classes, class_colors(30), masks)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [classes[k] for k in (0, 3, 7, 25, 29)]
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0


def test_the_figure_of_overlaps_is_scikit_learns_worst_first_and_leaves_out_what_is_nowhere():
    generator = np.random.default_rng(0)
    true, predicted = generator.integers(0, 3, (2, 500))
    pixels = sklearn.metrics.confusion_matrix(true, predicted, labels=range(4))
    scores = [*sklearn.metrics.jaccard_score(true, predicted, average=None), 0.0]
    (axes,) = iou_by_class(pixels, ("a", "b", "c", "nowhere")).axes
    order = np.argsort(scores, kind="stable")
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([scores[k] for k in order])
    assert [text.get_text().strip() for text in axes.texts] == ["not there", *(f"{scores[k]:.3f}" for k in order[1:])]
    assert axes.get_title(loc="left").startswith(f"Mean IoU {np.mean(scores[:3]):.3f}")
