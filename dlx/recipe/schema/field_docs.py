"""What the fields of a section say of themselves: the strings under them.

They are read where somebody asks for them and not, as pydantic would, whenever a class is made: that takes a sixth of
the time in which a recipe is validated.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


@cache
def field_descriptions(cls: type[BaseModel]) -> dict[str, str]:
    """Return the string under each field of a section, its own or inherited, by the field's name."""
    bases = [base for base in reversed(cls.__mro__) if issubclass(base, BaseModel) and base is not BaseModel]
    return {name: text for base in bases for name, text in _own_descriptions(base).items() if name in cls.model_fields}


@cache
def _own_descriptions(cls: type[BaseModel]) -> dict[str, str]:
    definition = ast.parse(dedent(inspect.getsource(cls))).body[0]
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(getattr(definition, "body", []))
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


class DescribedJsonSchema(GenerateJsonSchema):
    """JSON Schema in which every field has its words as its description."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of a section."""
        made = super().model_schema(schema)
        cls = schema["cls"]
        for name, text in field_descriptions(cls).items():
            entry = made.get("properties", {}).get(cls.model_fields[name].alias or name)
            if entry is not None:
                entry["description"] = text
        return made
