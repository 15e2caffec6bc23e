#!/usr/bin/env python3
"""Makes what the tests of src/chat_template compare with: our own templates, written in the style of published ones, rendered
by the reference (PyPI `jinja2`, set up as PyPI `transformers` sets it up) for many conversations.

    .venv/bin/python train/chat_template.py            # writes there and in test/golden/prompt

Templates are test/golden/chat_template/*.jinja. A case whose rendering the reference refuses has "refused": true.
"""
import datetime
import itertools
import json
import pathlib

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "test/golden/chat_template"
NOW = 1_780_000_000  # what strftime_now() takes for now

SYSTEM = {"role": "system", "content": "You are a signalman. Be brief."}
USER = {"role": "user", "content": "  Which points lead to track 4?\n"}
UNICODE = {"role": "user", "content": "Größe 你好 😀 naïve\u00a0\u3000 e\u0301 \"quoted\" <b> & 'single' \\ \t end\u2028"}
EMPTY = {"role": "user", "content": ""}
ASSISTANT = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nPoints 7."}
PLAIN = {"role": "assistant", "content": "Points 7, then 9."}
PARTS = {"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second ü"}]}
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"id": "call_1", "type": "function", "function": {"name": "set_points", "arguments": {"number": 7, "left": True, "why": None,
                                                                                       "speeds": [1.5, 2, -3e-7], "note": "ü\n"}}}]}
TWO_CALLS = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "a", "type": "function", "function": {"name": "one", "arguments": {}}},
    {"id": "b", "type": "function", "function": {"name": "two", "arguments": {"x": {"y": [{}, []]}}}}]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "name": "set_points", "content": "{\"done\": true}"}
RESULT_2 = {"role": "tool", "tool_call_id": "b", "content": "ok"}
TOOLS = [{"type": "function", "function": {"name": "set_points", "description": "Sets points of the yard.", "parameters": {
    "type": "object", "properties": {"number": {"type": "integer", "description": "Which"}, "left": {"type": "boolean"},
                                     "kind": {"type": "string", "enum": ["a", "b"]},
                                     "many": {"type": "array", "items": {"type": ["string", "null"]}}},
    "required": ["number"]}}},
    {"type": "function", "function": {"name": "ping", "description": None, "parameters": None}}]

CONVERSATIONS = {
    "one": [USER],
    "system": [SYSTEM, USER],
    "turns": [SYSTEM, USER, PLAIN, UNICODE],
    "thoughts": [USER, ASSISTANT, USER, ASSISTANT, USER],
    "unicode": [UNICODE],
    "empty": [EMPTY],
    "parts": [SYSTEM, PARTS],
    "call": [SYSTEM, USER, CALL, RESULT],
    "calls": [USER, TWO_CALLS, RESULT, RESULT_2, PLAIN, USER],
    "two users": [USER, USER],
    "late system": [USER, PLAIN, SYSTEM, USER],
    "nothing": [],
    "strange role": [{"role": "narrator", "content": "meanwhile"}],
}


def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class Generation(jinja2.ext.Extension):
    """The `generation` tag: what stands in it is rendered as it stands."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime(form)
    return made


def variables(conversation, tools, prompt, **more):
    out = {"messages": conversation, "tools": tools, "add_generation_prompt": prompt, "bos_token": "<s>", "eos_token": "</s>"}
    return {**out, **more}


def all_variables():
    for (name, conversation), tools, prompt in itertools.product(CONVERSATIONS.items(), (None, TOOLS), (True, False)):
        yield f"{name}, {'tools' if tools else 'no tools'}, {'prompt' if prompt else 'no prompt'}", \
            variables(conversation, tools, prompt)
    yield "no thinking", variables(CONVERSATIONS["thoughts"], None, True, enable_thinking=False)
    yield "thinking", variables(CONVERSATIONS["system"], TOOLS, True, enable_thinking=True)
    yield "no tokens", {"messages": CONVERSATIONS["system"], "add_generation_prompt": True}


# Bodies of requests, as clients send them; `prepared` makes of them what vLLM gives a template.
BODIES = [
    {"messages": [SYSTEM, USER]},
    {"messages": [SYSTEM, USER, ASSISTANT, UNICODE, PLAIN, EMPTY]},
    {"messages": [SYSTEM, PARTS]},
    {"messages": [SYSTEM, USER, PLAIN], "add_generation_prompt": False},
    {"messages": [USER], "chat_template_kwargs": {"enable_thinking": False, "unset": None}},
    {"messages": [USER], "reasoning_effort": "none"},
    {"messages": [USER], "add_special_tokens": True},
    {"messages": [SYSTEM, USER], "tools": [{"function": {"parameters": {"type": "object"}, "name": "ping"}, "type": "function"}]},
    {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [
        {"type": "function", "function": {"name": "f", "arguments": "{\"b\": 1, \"a\": [1.50, \"\\u00fc\"]}"}, "id": "x"},
        {"type": "function", "function": {"name": "g", "arguments": ""}, "id": "y"},
        {"type": "function", "function": {"name": "h", "arguments": "[1]"}, "id": "z"}]},
        {"role": "tool", "tool_call_id": "x", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}]},
    {"messages": [USER, {"role": "assistant", "content": "x", "tool_calls": []}, USER]},
    {"prompt": "  The points at km 12.5, <|im_start|> caf\u00e9 \u4f60\u597d\n"},
    {"prompt": "plain", "add_special_tokens": False},
]


def prepared_message(message):
    content = message["content"]
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content)
    out = {"role": message["role"], "content": content or ""}
    calls = []
    for call in message.get("tool_calls") or []:
        try:
            arguments = json.loads(call["function"]["arguments"])
        except json.JSONDecodeError:
            arguments = {}
        arguments = arguments if isinstance(arguments, dict) else {}
        calls.append({"id": call["id"], "function": {"arguments": arguments, "name": call["function"]["name"]}, "type": "function"})
    if calls:
        out["tool_calls"] = calls
    return out


def prepared_tool(tool):
    function = tool["function"]
    return {"type": "function", "function": {key: function.get(key) for key in ("name", "description", "parameters")}}


def prompts():
    """test/golden/prompt: a model directory with a small tokenizer and a template, and the ids of the bodies above."""
    import small_tokenizers
    from tokenizers import AddedToken, processors
    folder = ROOT / "test/golden/prompt"
    corpus = [message["content"] for turns in CONVERSATIONS.values() for message in turns if isinstance(message.get("content"), str)]
    tokenizer = small_tokenizers.qwen3(corpus * 3)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False)
                                  for text in ("<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>")])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", tokenizer.token_to_id("<|endoftext|>"))])
    source = (FOLDER / "qwen_style.jinja").read_text(encoding="utf-8")
    template = environment().from_string(source)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": None, "eos_token": {"content": "<|im_end|>", "special": True}, "chat_template": source}, indent=1) + "\n")
    lines = []
    for body in BODIES:
        framed = body.get("add_special_tokens", "prompt" in body)
        text = body.get("prompt")
        if text is None:
            kwargs = {key: value for key, value in body.get("chat_template_kwargs", {}).items() if value is not None}
            if body.get("reasoning_effort"):
                kwargs = {"enable_thinking": body["reasoning_effort"] != "none", **kwargs}
            text = template.render(
                messages=[prepared_message(message) for message in body["messages"]],
                tools=[prepared_tool(tool) for tool in body["tools"]] if "tools" in body else None, documents=None,
                add_generation_prompt=body.get("add_generation_prompt", True), eos_token="<|im_end|>", **kwargs)
        lines.append(json.dumps({"body": body, "text": text, "ids": tokenizer.encode(text, add_special_tokens=framed).ids},
                                ensure_ascii=False))
    (folder / "reference.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} prompts")


def main():
    prompts()
    given = dict(all_variables())
    lines = []
    for path in sorted(FOLDER.glob("*.jinja")):
        template = environment().from_string(path.read_bytes().decode())
        language = path.stem.startswith("language_")  # parts of the language, not of a conversation
        for name in ["call, tools, prompt"] if language else given:
            case = {"template": path.stem, "variables": name}
            try:
                case["text"] = template.render(**given[name])
            except Exception:
                if language:
                    raise
                case["refused"] = True
            lines.append(json.dumps(case, ensure_ascii=False))
    (FOLDER / "variables.json").write_text(json.dumps(given, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    (FOLDER / "cases.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    refused = sum(line.endswith('"refused": true}') for line in lines)
    print(f"{len(lines)} cases, {refused} refused")


if __name__ == "__main__":
    main()
