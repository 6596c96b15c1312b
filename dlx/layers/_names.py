from __future__ import annotations

RESERVED = frozenset({
    "add_module", "append", "apply", "auxiliary_answer", "auxiliary_loss", "bfloat16", "buffers", "call_super_init",
    "children", "clear", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extend", "extra_repr", "float",
    "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "insert", "ipu", "items",
    "keys", "load_state_dict", "modules", "mtia", "named_buffers", "named_children", "named_modules",
    "named_parameters", "parameters", "pop", "register_backward_hook", "register_buffer", "register_forward_hook",
    "register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook", "register_module",
    "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "scope",
    "set_extra_state", "set_submodule", "share_memory", "state_dict", "T_destination", "takes_context", "tally", "to",
    "to_empty", "train", "training", "type", "update", "values", "xpu", "zero_grad",
})  # fmt: skip
"""Names that modules have for themselves, torch's and those of a layer's contract: a child of that name would hide
one."""


def check_name(name: str | None) -> str | None:
    """Return the name of a node. Raises: ValueError if a module could not hold a child of that name."""
    if name in RESERVED:
        raise ValueError(f"a node cannot be named '{name}': every module has something of that name; try '{name}_1'")
    return name
