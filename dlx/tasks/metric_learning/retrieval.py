"""Retrieval metrics: the nearest neighbors in a set of embeddings. N samples, E embedding, Q queries, R ranks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dlx.tasks.metric_learning.distances import squared_distances

QUERIES_AT_ONCE = 512


def retrieval_metrics(embedding_NE: Tensor, target_N: Tensor, ks: Sequence[int], neighbors: int) -> dict[str, Tensor]:
    """Return how well every sample finds the others of its class; those that are alone in theirs are no queries.

    recall_at_k   fraction that has one of its class among its k nearest
    knn_accuracy  accuracy of the class of most of the nearest neighbors
    map_at_r      mean average precision at R: over the first R ranks, R being the size of the class
    """
    others_N = torch.bincount(target_N)[target_N] - 1
    queries = torch.nonzero(others_N > 0).flatten()
    names = [*(f"recall_at_{k}" for k in ks), "knn_accuracy", "map_at_r"]
    if not len(queries):
        return dict.fromkeys(names, embedding_NE.new_zeros(()))
    most = min(len(target_N) - 1, max(int(others_N.max()), neighbors, *ks))
    found: dict[str, list[Tensor]] = {}
    for index_Q in queries.split(QUERIES_AT_ONCE):
        class_QR = target_N[_nearest(embedding_NE, index_Q, most)]
        right_QR = class_QR == target_N[index_Q, None]
        measured = {f"recall_at_{k}": right_QR[:, :k].any(1).float() for k in ks}
        votes_QK = F.one_hot(class_QR[:, :neighbors], int(target_N.max()) + 1).sum(1)
        measured["knn_accuracy"] = (votes_QK.argmax(1) == target_N[index_Q]).float()
        measured["map_at_r"] = _average_precision(right_QR, others_N[index_Q])
        for name, value_Q in measured.items():
            found.setdefault(name, []).append(value_Q)
    return {name: torch.cat(found[name]).mean() for name in names}


def _nearest(embedding_NE: Tensor, index_Q: Tensor, count: int) -> Tensor:
    """Return the indices (Q, R) of the nearest samples, nearest first, without the query itself."""
    distance_QN = squared_distances(embedding_NE[index_Q], embedding_NE)
    distance_QN.scatter_(1, index_Q[:, None], torch.inf)
    return distance_QN.topk(count, dim=1, largest=False).indices


def _average_precision(right_QR: Tensor, others_Q: Tensor) -> Tensor:
    rank_R = torch.arange(1, right_QR.shape[1] + 1, device=right_QR.device)
    counted_QR = right_QR & (rank_R <= others_Q[:, None])
    precision_QR = counted_QR.cumsum(1) / rank_R
    return (precision_QR * counted_QR).sum(1) / others_Q
