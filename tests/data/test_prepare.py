import json

import numpy as np
import pytest

from dlx.data.inputs import encode_inputs
from dlx.data.prepare import prepare
from dlx.data.statistics import moments, statistics
from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.recipe.schema.data import Data
from dlx.sources import Column, Samples, Source

ROWS = 60
SEED = 4


class Given(Source):
    """Samples that a test has made."""

    type: str = "given"

    def load(self, base, on_error="raise"):
        return MADE[-1]


MADE = []


def prepared(samples, kind="classes", seed=SEED, **options):
    MADE.append(samples)
    options = {**options, "split": {"seed": seed, **options.get("split", {})}}
    data = Data.model_construct(
        **{**dict(Data.model_validate({"source": {"sklearn": "iris"}, **options})), "source": Given()}
    )
    return prepare(data, None, kind)


def numeric(values):
    return Column(np.asarray(values, dtype=np.float64), "", "numeric")


def words(values):
    return Column(np.asarray(values, dtype=object), "", "categorical")


def table(**changes):
    generator = np.random.default_rng(0)
    columns = {
        "age": numeric(generator.normal(40, 10, ROWS)),
        "city": words(["Ulm", "Bonn", "Kiel"] * 20),
        "y": words(["no", "yes"] * 30),
        **changes,
    }
    return Samples(columns, tuple(n for n in columns if n != "y"), "y")


def changed(column, row, value):
    values = column.values.copy()
    values[row] = value
    return Column(values, column.axes, column.kind, column.classes, column.names)


def test_statistics_are_those_of_numpy_on_train_alone():
    made = prepared(table())
    ages = table().columns["age"].values[made.rows["train"]]
    stats = made.facts.fields["numeric"].stats
    assert stats.mean[0] == pytest.approx(ages.mean(), rel=1e-6)
    assert stats.std[0] == pytest.approx(ages.std(), rel=1e-6)
    assert (stats.low[0], stats.high[0]) == pytest.approx((ages.min(), ages.max()), rel=1e-6)
    assert stats.quantiles[0][50] == pytest.approx(np.median(ages), rel=1e-6)


@pytest.mark.parametrize("split", ["val", "test"])
def test_rows_outside_of_train_change_no_statistics(split):
    before = prepared(table())
    row = before.rows[split][0]
    after = prepared(
        table(age=changed(table().columns["age"], row, 1e6), city=changed(table().columns["city"], row, "Rom"))
    )
    assert after.facts.fields["numeric"].stats == before.facts.fields["numeric"].stats
    assert after.facts.categories == before.facts.categories
    assert after.facts.fingerprint != before.facts.fingerprint


def test_rows_of_train_change_statistics():
    before = prepared(table())
    after = prepared(table(age=changed(table().columns["age"], before.rows["train"][0], 1e6)))
    assert after.facts.fields["numeric"].stats != before.facts.fields["numeric"].stats


def test_categories_that_train_never_saw_and_missing_ones_are_0():
    rows = prepared(table()).rows
    unseen, absent = rows["val"][0], rows["train"][0]
    made = prepared(table(city=changed(changed(table().columns["city"], unseen, "Rom"), absent, None)))
    codes = made.arrays["categorical"][:, 0]
    assert made.facts.categories["city"] == ("Bonn", "Kiel", "Ulm")
    assert (codes[unseen], codes[absent]) == (0, 0)
    others = np.setdiff1d(np.arange(ROWS), [unseen, absent])
    said = [("Bonn", "Kiel", "Ulm")[code - 1] for code in codes[others]]
    assert said == table().columns["city"].values[others].tolist()
    assert made.facts.fields["categorical"].vocab == (4,)


def test_images_have_statistics_of_each_channel():
    images = np.random.default_rng(1).integers(0, 256, (10, 3, 4, 5), dtype=np.uint8)
    made = encode_inputs({"image": Column(images, "CHW", "image")}, np.arange(6))
    stats = made.fields["image"].stats
    assert made.arrays["image"] is images
    assert stats.mean == pytest.approx(images[:6].mean(axis=(0, 2, 3)))
    assert stats.std == pytest.approx(images[:6].std(axis=(0, 2, 3)))
    assert stats.high == tuple(images[:6].max(axis=(0, 2, 3)))


def test_statistics_leave_missing_values_out():
    stats = statistics(np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]]), "F")
    assert stats.mean == (2.0, 0.0)
    assert stats.missing == (True, True)
    assert np.isfinite(stats.quantiles).all()


@pytest.mark.parametrize("kind", ["words", "numbers"])
def test_f13_rows_without_a_target_are_named_or_left_out(kind):
    if kind == "words":
        y, task = changed(changed(table().columns["y"], 7, None), 30, None), "classes"
    else:
        y, task = numeric([np.nan if row in (7, 30) else row for row in range(ROWS)]), "regression"
    with pytest.raises(DataError, match=r"(?s)2 rows have no target.*row 8: .*row 31: "):
        prepared(table(y=y), task)
    made = prepared(table(y=y), task, on_error="skip")
    assert sum(made.facts.counts.values()) == ROWS - 2
    assert len(made.problems) == 2
    assert len(made.arrays["numeric"]) == len(made.arrays["target"]) == ROWS - 2


def test_f13_too_many_rows_without_a_target_are_an_error_even_when_skipping():
    y = words([None if row < 20 else "ab"[row % 2] for row in range(ROWS)])
    with pytest.raises(DataError, match=r"20 of 60 .*data.max_skipped"):
        prepared(table(y=y), on_error="skip")
    assert len(prepared(table(y=y), on_error="skip", max_skipped=0.5).problems) == 20


def test_too_many_bad_samples_are_an_error_with_a_list():
    samples = Samples(table().columns, ("age",), "y", problems=[f"line {i}: no number" for i in range(10)])
    with pytest.raises(DataError, match=r"(?s)10 of 70 samples are bad, more than data.max_skipped.*line 3: no number"):
        prepared(samples, on_error="skip")
    assert len(prepared(samples, on_error="skip", max_skipped=0.2).problems) == 10


def test_facts_survive_json():
    for samples, kind in [(table(), "classes"), (table(y=numeric(range(ROWS))), "regression"), (labeled(), "classes")]:
        facts = prepared(samples, kind).facts
        again = DataFacts.from_json(json.loads(json.dumps(facts.to_json())))
        assert again == facts
        assert all(again.fields[n].stats == facts.fields[n].stats for n in facts.fields)
        assert all(again.fields[n].names == facts.fields[n].names for n in facts.fields)


def test_the_fingerprint_is_of_values_and_split():
    plain = prepared(table()).facts.fingerprint
    assert prepared(table()).facts.fingerprint == plain
    assert prepared(table(age=changed(table().columns["age"], 3, 0.5))).facts.fingerprint != plain
    assert prepared(table(y=changed(table().columns["y"], 3, "no"))).facts.fingerprint != plain
    assert prepared(table(), seed=SEED + 1).facts.fingerprint != plain
    assert prepared(table(), split={"val": 0.3}).facts.fingerprint != plain


@pytest.mark.parametrize("values", [["b", "a", "c"], [2, 0, 10], [2.0, 0.0, 10.0]])
def test_classes_are_in_order_and_counted(values):
    y = words(values * 20) if isinstance(values[0], str) else numeric(values * 20)
    made = prepared(table(y=y))
    assert made.facts.classes == tuple(str(v).removesuffix(".0") for v in sorted(values))
    said = [made.facts.classes[code] for code in made.arrays["target"]]
    assert said == [str(v).removesuffix(".0") for v in values * 20]
    train = made.arrays["target"][made.rows["train"]]
    assert made.facts.class_counts == tuple(np.bincount(train))
    assert made.facts.kind == "classes"


def labeled():
    marks = np.random.default_rng(2).integers(0, 2, (2, ROWS)).astype(float)
    columns = {"age": table().columns["age"], "wet": numeric(marks[0]), "cold": numeric(marks[1])}
    return Samples(columns, ("age",), "wet")


def test_several_target_columns_are_labels():
    made = prepared(labeled(), target=["wet", "cold"])
    assert made.facts.kind == "labels"
    assert made.facts.classes == ("wet", "cold")
    assert made.arrays["target"].shape == (ROWS, 2)
    train = made.arrays["target"][made.rows["train"]]
    assert made.facts.class_counts == tuple(train.sum(axis=0).astype(int))


def test_labels_are_0_or_1():
    samples = Samples({**labeled().columns, "cold": numeric([0, 2] * 30)}, ("age",), "wet")
    with pytest.raises(DataError, match=r"row 2: .*0 or 1, but this is 2"):
        prepared(samples, target=["wet", "cold"])


def test_a_class_without_a_sample_in_train_is_named():
    parts = np.array(["train"] * 40 + ["test"] * 20)
    samples = Samples(table(y=words(["no", "yes"] * 20 + ["maybe"] * 20)).columns, ("age",), "y", splits=parts)
    with pytest.raises(DataError, match="train split has no sample of class maybe"):
        prepared(samples)


def test_words_cannot_be_regressed_and_many_numbers_are_no_classes():
    with pytest.raises(DataError, match="words, not numbers: use `task: classification`"):
        prepared(table(), "regression")
    many = Samples({"x": numeric(range(500)), "y": numeric(np.linspace(0, 1, 500))}, ("x",), "y")
    with pytest.raises(DataError, match="500 different values in 500 rows: use `task: regression`"):
        prepared(many)


@pytest.mark.parametrize(
    ("option", "message"),
    [({"target": "z"}, "data.target.*'z'.*age, city, y"), ({"inputs": ["z"]}, "data.inputs.*'z'")],
)
def test_fields_that_are_not_there(option, message):
    with pytest.raises(DataError, match=message):
        prepared(table(), **option)


def test_a_target_is_no_input_unless_it_is_asked_for():
    assert "y" not in prepared(table()).facts.fields["categorical"].names
    samples = Samples(table().columns, ("age", "city", "y"), "y")
    assert prepared(samples, target="y").facts.fields["categorical"].names == ("city",)
    assert "y" not in prepared(samples).facts.fields["categorical"].names


def test_the_column_that_names_splits_is_no_input():
    said = words((["train"] * 4 + ["val", "test"]) * 10)
    samples = Samples({**table().columns, "part": said}, ("age", "city", "part"), "y")
    made = prepared(samples, split={"by": "column", "column": "part"})
    assert made.facts.fields["categorical"].names == ("city",)
    assert made.facts.counts == {"train": 40, "val": 10, "test": 10}


@pytest.mark.parametrize("n", [1, 999, 1000, 4321])
def test_bytes_are_counted_in_parts_and_have_the_moments_of_numbers(monkeypatch, n):
    monkeypatch.setattr("dlx.data.statistics.COUNTED", 1000)
    row = np.random.default_rng(n).integers(0, 256, n).astype(np.uint8)
    assert moments(row) == pytest.approx((row.mean(dtype=np.float64), row.std(dtype=np.float64)), rel=1e-12)
