"""Files that are decoded once: into a cache that is mapped afterwards."""

import os

import numpy as np
import pytest
from PIL import Image

from dlx.sources import _decoding
from dlx.sources._decoding import DECODERS, Decoder, decode_files


def read(path, scale=1):
    CALLS.append(path)
    return np.asarray(Image.open(path)) * scale


CALLS = []


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(_decoding, "FEW", 4)
    monkeypatch.setattr(_decoding, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(_decoding, "_decode_in_processes", in_this_process)
    monkeypatch.setitem(DECODERS, "read", read)
    CALLS.clear()
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((3, 2), i, dtype=np.uint8)).save(path)
    return paths


def in_this_process(file, decoder, paths):
    return _decoding._decode_rows(file, decoder, range(len(paths)), paths)


def decoder(**options):
    return Decoder("read", options, (3, 2))


def test_files_are_decoded_once(files):
    first = decode_files(decoder(), files)
    assert len(CALLS) == 6
    second = decode_files(decoder(), files)
    assert len(CALLS) == 6 and isinstance(second.arrays, np.memmap)
    for found in (first, second):
        assert np.array_equal(found.arrays, np.arange(6)[:, None, None] * np.ones((1, 3, 2))) and found.problems == []


def test_other_options_and_changed_files_are_decoded_anew(files):
    decode_files(decoder(), files)
    assert decode_files(decoder(scale=2), files).arrays.max() == 10
    Image.fromarray(np.full((3, 2), 99, dtype=np.uint8)).save(files[0])
    os.utime(files[0], ns=(1, 1))
    assert decode_files(decoder(), files).arrays[0].tolist() == [[99, 99]] * 3


def test_a_damaged_cache_is_made_anew(files, tmp_path):
    decode_files(decoder(), files)
    (array,) = (tmp_path / "cache" / "decoded").glob("*.npy")
    array.write_bytes(array.read_bytes()[:100])
    assert decode_files(decoder(), files).arrays[5].tolist() == [[5, 5]] * 3


def test_a_change_of_the_arrays_stays_out_of_the_cache(files):
    decode_files(decoder(), files)
    decode_files(decoder(), files).arrays[:] = 7
    assert decode_files(decoder(), files).arrays[5].tolist() == [[5, 5]] * 3


def test_few_files_leave_no_cache(files, tmp_path):
    assert decode_files(decoder(), files[:3]).arrays[2].tolist() == [[2, 2]] * 3
    assert not (tmp_path / "cache").exists()
