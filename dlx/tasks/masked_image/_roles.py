"""Names of the networks, and of what lies between them, that the specification and the module share."""

ENCODER, DECODER, EMBED = "encoder", "decoder", "embed"
