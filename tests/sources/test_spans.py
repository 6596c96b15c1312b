"""Spans: sequences in one long array."""

import numpy as np

from dlx.sources import Spans


def test_spans_are_slices_of_one_array():
    spans = Spans.of([np.array([1, 2]), np.array([], dtype=int), np.array([3, 4, 5])])
    assert [s.tolist() for s in spans] == [[1, 2], [], [3, 4, 5]]
    assert spans.length is None and spans[[0, 0]].length == 2
    assert [s.tolist() for s in spans[np.array([True, False, True])]] == [[1, 2], [3, 4, 5]]
    windows = Spans(np.arange(10), np.array([1, 2, 6]), np.array([3, 3, 3]))
    assert windows.values_in_spans().tolist() == [1, 2, 3, 4, 6, 7, 8]
    assert windows[1:].values is windows.values
