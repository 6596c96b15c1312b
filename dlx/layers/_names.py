from __future__ import annotations

RESERVED = frozenset({
    "add_module", "append", "apply", "attention_weights", "auxiliary_loss", "auxiliary_output", "bfloat16", "buffers",
    "call_super_init", "children", "clear", "compile", "compute_metrics", "cpu", "cuda", "double", "dump_patches",
    "eval", "extend", "extra_repr", "fill_weight", "float", "forward", "free_energy", "get_buffer", "get_extra_state",
    "get_parameter", "get_submodule", "half", "insert", "ipu", "items", "keys", "load_state_dict", "memory",
    "metric_counts", "modules", "mtia", "named_buffers", "named_children", "named_modules", "named_parameters",
    "output_context", "parameters", "pop", "register_backward_hook", "register_buffer", "register_forward_hook",
    "register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook", "register_module",
    "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_",
    "set_extra_state", "set_submodule", "share_memory", "state_dict", "store_attention", "T_destination",
    "takes_context", "to", "to_empty", "train", "training", "type", "update", "values", "visible_mean", "xpu",
    "zero_grad",
})  # fmt: skip
"""Attributes of modules, torch's own and those of dlx/nn/protocols.py: a child of that name would hide one."""


def check_name(name: str | None) -> str | None:
    """Return the name of a node. Raises: ValueError if it is an attribute of every module."""
    if name in RESERVED:
        raise ValueError(f"a node cannot be named '{name}': every module has something of that name; try '{name}_1'")
    return name
