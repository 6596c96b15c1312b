"""What a package holds: the names that its members may have, and the manifest that says their sizes and hashes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from dlx.component import Section
from dlx.engine.training.layer_hashes import HASHES, LOSSES
from dlx.errors import CheckpointError
from dlx.run_folders import TOKENIZERS

MANIFEST, CARD = "manifest.json", "README.md"
WEIGHTS, CHECKPOINT = "weights.safetensors", "checkpoint.json"
"""Members that become the best checkpoint again: its tensors, and everything else in it."""
LOCK, RECORD = "lock.json", "run.json"
COPIED = ("recipe.yaml", "resolved.yaml", TOKENIZERS, HASHES, LOSSES)
"""Files of a run that go into a package as they are."""
PART_FILES = (*COPIED, LOCK, RECORD, WEIGHTS, CHECKPOINT)
MAX_TEXT_BYTES = 256 << 20
"""That all members but the weights may have together."""
MAX_MANIFEST_BYTES = 4 << 20
STAGE = r"[0-9]{1,3}-[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_MEMBER = re.compile(rf"\A(?:{CARD}|(?:{STAGE}/)?(?:{'|'.join(map(re.escape, PART_FILES))}))\Z")


class Member(Section):
    """What the manifest says of a member."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(Section):
    """The list of a package's members, itself aside."""

    format: Literal[1] = 1
    """Version of the format."""
    dlx: Annotated[str, Field(max_length=100)]
    """Version of dlx that packed it."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=200)]
    """Name of the run."""
    stages: list[Annotated[str, Field(pattern=rf"^{STAGE}$", max_length=200)]] = Field(default_factory=list)
    """Directories of the run's stages."""
    members: dict[str, Member]

    @classmethod
    def read(cls, value: Any) -> Manifest:
        """Read what is written in a package. Raises: CheckpointError if it is not a manifest."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "all of it"
            raise CheckpointError(f"{MANIFEST}: {place}: {first['msg']}") from None


def is_known_member(name: str) -> bool:
    """Return whether a member of this name can be part of a package; such a name leads nowhere but into the run."""
    return bool(_MEMBER.match(name))
