"""Augmentations of texts: what is deleted, swapped, inserted and replaced."""

from pathlib import Path

import pytest
from augmentation_inputs import TEXT, WORDS, always, augmentation, seeded, tokens

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.tokenizers import Tokenizer, store


def texts(ids):
    """Return the tokens of every text without padding, which must stand at the end."""
    rows = [row.tolist() for row in ids]
    assert all(0 not in row[: len(row) - row.count(0)] for row in rows)
    return [row[: len(row) - row.count(0)] for row in rows]


def is_part_in_order(part, whole):
    rest = iter(whole)
    return all(token in rest for token in part)


def changed_texts(name, **fields):
    before = tokens(batch=200)
    after, _ = seeded(always(name, **fields).build(TEXT, 0), before, None)
    return list(zip(texts(before), texts(after), strict=True))


def test_deletion_removes_a_share_and_leaves_the_rest_in_order():
    for before, after in changed_texts("random_deletion", fraction=0.4):
        assert len(after) == len(before) - round(0.4 * len(before)) and is_part_in_order(after, before)
    assert all(len(after) == 1 for _, after in changed_texts("random_deletion", fraction=1.0))


def test_swap_exchanges_a_share_of_the_tokens():
    for before, after in changed_texts("random_swap", fraction=0.5):
        moved = sum(a != b for a, b in zip(before, after, strict=True))
        assert sorted(after) == sorted(before) and moved == round(0.5 * len(before))


def test_insertion_keeps_the_text_and_repeats_its_own_tokens():
    for before, after in changed_texts("random_insertion", fraction=0.3):
        more = max(1, round(0.3 * len(before)))
        assert len(after) == min(9, len(before) + more) and set(after) <= set(before)
        assert is_part_in_order(before[: len(after) - more], after)


def test_synonyms_come_from_the_same_line_of_the_thesaurus():
    word = Tokenizer.model_validate("word")
    codec = word.train([" ".join(WORDS)], Path())
    group = {i: int(name.removeprefix("word")) // 8 for i, name in enumerate(codec.tokens) if i >= 4}
    seen = set()
    for before, after in changed_texts("synonym_replacement", fraction=0.25):
        pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert len(pairs) == max(1, round(0.25 * len(before))) and all(group[a] == group[b] for a, b in pairs)
        seen |= set(pairs)
    assert len(seen) > 60


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "thesaurus.txt: no such file"),
        ("word1, word2\nword3\n", "thesaurus.txt:2: 'word3' stands alone"),
        ("other, strange\nword1, odd\n", "no line holds two words that are tokens"),
    ],
)
def test_a_thesaurus_that_is_of_no_use_is_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "thesaurus.txt").write_text(content)
    word = Tokenizer.model_validate("word")
    stored = store(word, word.train([" ".join(WORDS)], Path()))
    with pytest.raises(DataError, match=words):
        augmentation({"synonym_replacement": "thesaurus.txt"}).fit(
            DataFacts({"text": TEXT}, ("text",), tokenizers={"text": stored}), tmp_path
        )
