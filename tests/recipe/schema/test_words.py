from typing import ClassVar

from pydantic import Field

from dlx.component import Section
from dlx.recipe.schema.field_docs import DescribedJsonSchema, field_descriptions


class Base(Section):
    note: ClassVar[str] = "of no field"
    """Not of a field."""
    rate: float = 0.1
    """How
    fast."""
    bare: int = 0


class Inner(Section):
    """A section."""


class Leaf(Base):
    rate: float = 0.2
    kind: int = Field(1, alias="type")
    """Which one."""
    inner: Inner = Inner()
    """What is in it."""


def test_the_string_under_a_field_is_what_it_says_also_where_the_field_is_inherited() -> None:
    assert field_descriptions(Base) == {"rate": "How\nfast."}
    assert field_descriptions(Leaf) == {"rate": "How\nfast.", "kind": "Which one.", "inner": "What is in it."}


def test_the_schema_for_editors_describes_fields_by_the_names_that_they_have_in_a_recipe() -> None:
    fields = Leaf.model_json_schema(schema_generator=DescribedJsonSchema)["properties"]
    assert {name: field.get("description") for name, field in fields.items()} == {
        "rate": "How\nfast.",
        "bare": None,
        "type": "Which one.",
        "inner": "What is in it.",
    }
