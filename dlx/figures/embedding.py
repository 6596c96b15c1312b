"""Embeddings in two dimensions: PCA and t-SNE of latent codes or features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.figures.base import new_figure, percent, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEIGHBORS_OF = 500  # samples that t-SNE arranges, which takes seconds
FEWEST = 10
FEW = 10  # classes for which there are colors that nobody takes for one another
PERPLEXITY = 30.0


def embedding(vectors_NF: Any, value_N: Any, label: str, classes: Sequence[str] = ()) -> Figure:
    """Draw vectors in two dimensions, by PCA and by t-SNE.

    Points have the color of their class, or else the shade of their value.
    """
    vectors, value = np.asarray(vectors_NF, dtype=float), np.asarray(value_N, dtype=float)
    plane, share = _project_pca(vectors)
    planes = {f"PCA: {percent(share)} of the variance": plane}
    if len(vectors) >= FEWEST:
        planes["t-SNE"] = _project_tsne(vectors[:NEIGHBORS_OF])
    figure = new_figure(5.2 * len(planes) + 1, 5)
    drawn: Any = None
    for axes, (title, points) in zip(figure.subplots(1, len(planes), squeeze=False).flat, planes.items(), strict=True):
        drawn = axes.scatter(
            *points.T, c=value[: len(points)], s=_size(len(points)), linewidths=0, **_colors(value, classes)
        )
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#C8C8C8")
        set_title(axes, title)
    bar = figure.colorbar(drawn, ax=figure.axes, label=label, shrink=0.8)
    if classes:
        bar.set_ticks(list(range(len(classes))), labels=list(classes))
    return figure


def _project_pca(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the vectors on the plane of their first two principal components, and its share of their variance."""
    from sklearn.decomposition import PCA

    width = min(2, *vectors.shape)
    if vectors.std(0).max() == 0:
        return np.zeros((len(vectors), 2)), 1.0
    found = PCA(width, random_state=0).fit(vectors)
    plane = np.pad(found.transform(vectors), ((0, 0), (0, 2 - width)))
    return plane, min(float(found.explained_variance_ratio_.sum()), 1.0)


def _project_tsne(vectors: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    if vectors.std(0).max() == 0:
        return np.zeros((len(vectors), 2))
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    start: Any = "pca" if vectors.shape[1] > 1 else "random"
    return np.asarray(TSNE(2, init=start, perplexity=perplexity, random_state=0).fit_transform(vectors))


def _size(count: int) -> float:
    """Return the area of a point in square points: the larger, the fewer there are."""
    return min(40.0, max(9.0, 6000 / count))


def _colors(value: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    if not classes:
        low, high = np.quantile(value, [0.02, 0.98])
        return {"cmap": "cividis", "vmin": low, "vmax": high}
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    told_apart = colormaps["tab10" if len(classes) <= FEW else "turbo"].resampled(max(FEW, len(classes)))
    colors = [told_apart(i) for i in range(len(classes))]
    return {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": len(classes) - 0.5}
