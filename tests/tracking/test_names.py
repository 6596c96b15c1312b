"""F25: whatever a recipe names, MLflow takes, and two names that differ stay two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation

from dlx.tracking.names import NAME_LENGTH, TAG_LENGTH, valid_name, valid_tag_name, valid_value

ODD = ["a@b", "a#b", "a b ", "", ".", "..", "../x", "/x", "x/", "a//b", "a/./b", "ü", "€", "x" * 251, "/", "🙂", "%"]


@pytest.mark.parametrize("name", ["val/accuracy", "optimizer.lr", "plan/macs", "a b-c_d:e", "π"])
def test_good_names_stay(name):
    assert valid_name(name) == name


@given(st.one_of(st.text(max_size=300), st.sampled_from(ODD)))
def test_mlflow_takes_every_name(name):
    validation._validate_metric_name(valid_name(name))
    validation._validate_param_name(valid_name(name))
    validation._validate_tag_name(valid_tag_name(name))
    assert len(valid_name(name)) <= NAME_LENGTH


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_names_stay_two(a, b):
    assert (valid_name(a) == valid_name(b)) == (a == b)
    assert (valid_tag_name(a) == valid_tag_name(b)) == (a == b)


def test_near_collisions_stay_two():
    pairs = [("f1@0.5", "f1#0.5"), ("x" * 251, "x" * 252), ("a//b", "a/b"), ("mlflow.user", "user.mlflow.user ")]
    assert all(valid_name(a) != valid_name(b) for a, b in pairs)


def test_reserved_tags_are_moved():
    assert valid_tag_name("mlflow.user") == "user.mlflow.user"


def test_texts_are_cut_to_what_mlflow_takes():
    assert TAG_LENGTH <= validation.MAX_TAG_VAL_LENGTH
    assert len(valid_value("x" * 9000, 6000)) == 6000 and valid_value("short", 6000) == "short"
