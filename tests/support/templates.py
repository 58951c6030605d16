"""Chat templates that write tool calls as families of models do."""

from __future__ import annotations


def _template(calls: str) -> str:
    """Tools, turns and opening, with the calls of a turn written like that."""
    return (
        "{% if tools %}tools:{% for t in tools %} {{ t.function.name }}{% endfor %}{% endif %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}"
        + calls
        + "{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    )


_ITEMS = "{% for k, v in f.arguments.items() %}"


def _each(text: str) -> str:
    return (
        f"{{% for c in m.tool_calls %}}{{% set f = c.function %}}{text}{{% endfor %}}"
    )


_OBJECT = '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}}'
_LIST = (
    "[{% for c in m.tool_calls %}{% set f = c.function %}"
    + _OBJECT
    + "{% if not loop.last %}, {% endif %}{% endfor %}]"
)
_CALLS = {
    "hermes": _each(f"<tool_call>\n{_OBJECT}\n</tool_call>"),
    "coder": _each(
        f"<tool_call>\n<function={{{{ f.name }}}}>\n{_ITEMS}<parameter={{{{ k }}}}>\n{{{{ v if v is string else v | tojson }}}}\n"
        "</parameter>\n{% endfor %}</function>\n</tool_call>"
    ),
    "glm": _each(
        f"<tool_call>{{{{ f.name }}}}\n{_ITEMS}<arg_key>{{{{ k }}}}</arg_key>\n<arg_value>"
        "{{ v if v is string else v | tojson }}</arg_value>\n{% endfor %}</tool_call>"
    ),
    "mistral": _each("[TOOL_CALLS]{{ f.name }}[ARGS]{{ f.arguments | tojson }}"),
    "nemo": f"[TOOL_CALLS]{_LIST}",
    "granite": f"<|tool_call|>{_LIST}",
    "llama": _each(
        '{"name": "{{ f.name }}", "parameters": {{ f.arguments | tojson }}}'
    ),
    "functionary": _each(
        "<function={{ f.name }}>{{ f.arguments | tojson }}</function>"
    ),
}
_CALLS["lfm"] = (
    "<|tool_call_start|>[{% for c in m.tool_calls %}{% set f = c.function %}{{ f.name }}("
    + _ITEMS
    + '{{ k }}={{ "\'" ~ v ~ "\'" if v is string else v }}{% if not loop.last %}, {% endif %}{% endfor %})'
    "{% if not loop.last %}, {% endif %}{% endfor %}]<|tool_call_end|>"
)
_CALLS["olmo"] = (
    "<function_calls>{% for c in m.tool_calls %}{% set f = c.function %}{{ f.name }}("
    + _ITEMS
    + "{{ k }}={{ v | tojson }}{% if not loop.last %}, {% endif %}{% endfor %})"
    "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}</function_calls>"
)
_CALLS["gemma"] = _each(
    "<|tool_call>call:{{ f.name }}{{ '{' }}{% for k, v in f.arguments | dictsort %}{{ k }}:"
    "{{ '<|\"|>' ~ v ~ '<|\"|>' if v is string else v }}{% if not loop.last %},{% endif %}{% endfor %}}<tool_call|>"
)
_M3 = "]<]minimax[>["
_CALLS["minimax"] = (
    f"{_M3}<tool_call>\n"
    + _each(
        f'{_M3}<invoke name="{{{{ f.name }}}}">{_ITEMS}{_M3}<{{{{ k }}}}>{{{{ v }}}}{_M3}</{{{{ k }}}}>{{% endfor %}}'
        f"{_M3}</invoke>\n"
    )
    + f"{_M3}</tool_call>"
)
_HARMONY = (
    "{% if tools %}tools:{% for t in tools %} {{ t.function.name }}{% endfor %}{% endif %}"
    "{% for m in messages %}<|start|>{{ m.role }}"
    "{% if m.thinking %}<|channel|>analysis<|message|>{{ m.thinking }}<|end|><|start|>assistant{% endif %}"
    "{% for c in m.tool_calls or [] %} to=functions.{{ c.function.name }}<|channel|>commentary json<|message|>"
    "{{ c.function.arguments | tojson }}<|call|>{% endfor %}<|channel|>final<|message|>{{ m.content }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
_GLIMMER = (
    "{% if tools %}tools:{% for t in tools %} {{ t.function.name }}{% endfor %}{% endif %}"
    "{% for m in messages %}{% if m.reasoning_content %}<|start|>assistant to=self<|message|>{{ m.reasoning_content }}<|eom|>{% endif %}"
    "{% for c in m.tool_calls or [] %}<|start|>assistant to={{ c.function.name }}<|message|><atem:function_calls>\n"
    '<atem:invoke name="{{ c.function.name }}">\n{% for k, v in c.function.arguments.items() %}'
    '<atem:parameter name="{{ k }}">{{ v if v is string else v | tojson }}</atem:parameter>\n{% endfor %}'
    "</atem:invoke>\n</atem:function_calls><|eom|>{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|eot|>{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
_FUNCTIONARY_3 = (
    "{% if tools %}tools:{% for t in tools %} {{ t.function.name }}{% endfor %}{% endif %}"
    "{% for m in messages %}<{{ m.role }}>\n{% if m.role != 'assistant' %}{{ m.content }}{% elif m.content %}>>>all\n{{ m.content }}{% endif %}"
    "{% for c in m.tool_calls or [] %}>>>{{ c.function.name }}\n{{ c.function.arguments | tojson }}{% endfor %}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<assistant>\n>>>{% endif %}"
)
TEMPLATES = {name: _template(calls) for name, calls in _CALLS.items()}
TEMPLATES["harmony"] = _HARMONY
TEMPLATES["glimmer"] = _GLIMMER
TEMPLATES["functionary-3"] = _FUNCTIONARY_3
# Which only tell of them.
TEMPLATES["told"] = _template("").replace(
    "tools:", "Write <tool_call>{...}</tool_call> to call"
)
TEMPLATES["listed"] = _template("").replace("tools:", "Write <|tool_call|>[...]")
