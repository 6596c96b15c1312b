from textwrap import dedent

import pytest
from kit import MINIMAL

from dlx.errors import RecipeError
from dlx.recipe.load import load


@pytest.fixture
def write(tmp_path):
    def write(text, name="r.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    return write


@pytest.fixture
def refused(tmp_path):
    """Diagnostics of a minimal recipe that is changed by this text."""

    def refused(text, *overrides):
        (tmp_path / "base.yaml").write_text(MINIMAL)
        (tmp_path / "r.yaml").write_text(f"extends: base.yaml\n{text}")
        with pytest.raises(RecipeError) as error:
            load(tmp_path / "r.yaml", overrides)
        return error.value.diagnostics

    return refused
