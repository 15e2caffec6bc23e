"""Just enough C++ lexing for style rules: blanked comments and strings, scopes, function lengths."""

import re

_TOKEN = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'",
    re.DOTALL)


def _blank(text):
    return re.sub(r'[^\n]', ' ', text)


def code_of(text):
    """The text with comments and the inside of literals replaced by spaces; same length, same lines."""

    def replace(match):
        token = match.group(0)
        if token.startswith('/'):
            return _blank(token)
        return token[0] + _blank(token[1:-1]) + token[-1]

    return _TOKEN.sub(replace, text)


def comments_of(text):
    """The text with everything but comments replaced by spaces."""
    out, last = [], 0
    for match in _TOKEN.finditer(text):
        out.append(_blank(text[last:match.start()]))
        token = match.group(0)
        out.append(token if token.startswith('/') else _blank(token))
        last = match.end()
    out.append(_blank(text[last:]))
    return ''.join(out)


_TEMPLATE = re.compile(r'\btemplate\s*<')
_TYPE = re.compile(r'^\s*(?:(?:inline|export|typedef|static|constexpr|const)\s+)*'
                   r'(?:namespace|class|struct|union|enum|extern\s*")')


def _without_template_heads(head):
    """`template <class T> class X` -> ` class X`: angle brackets are matched by counting."""
    match = _TEMPLATE.search(head)
    while match:
        depth, at = 1, match.end()
        while at < len(head) and depth:
            depth += {'<': 1, '>': -1}.get(head[at], 0)
            at += 1
        head = head[:match.start()] + head[at:]
        match = _TEMPLATE.search(head)
    return head


def _scope_kind(head, outer):
    if outer == 'function':
        return 'function'
    plain = re.sub(r'\[\[[^\]]*\]\]', ' ', _without_template_heads(head))
    plain = '\n'.join(line for line in plain.split('\n') if not line.lstrip().startswith('#'))
    if _TYPE.match(plain.replace('\n', ' ')):
        return 'type'
    if '(' in plain and not re.search(r'=\s*$', plain):
        return 'function'
    return 'other'


def functions_of(code):
    """(first line, last line, head) of each function body at namespace or class scope; lines count from 1."""
    found, stack, head_start, line = [], [], 0, 1
    head_line = 1
    parens = 0
    for at, char in enumerate(code):
        if char == '\n':
            line += 1
        elif char == '(':
            parens += 1
        elif char == ')':
            parens -= 1
        elif char == '{':
            head = code[head_start:at]
            outer = stack[-1][0] if stack else 'type'
            if parens > 0 and outer != 'function':
                kind = 'other'
            else:
                kind = _scope_kind(head, 'function' if outer == 'other' else outer)
                if outer == 'other':
                    kind = 'other'
            starts = head_line if kind == 'function' and outer == 'type' else None
            stack.append((kind, starts, ' '.join(head.split()), parens))
            parens = 0
            head_start = at + 1
            head_line = None
        elif char == '}':
            if stack:
                kind, starts, head, parens = stack.pop()
                if starts is not None:
                    found.append((starts, line, head))
                if kind == 'other':
                    continue  # a brace initialiser: the head of what follows goes on
            head_start = at + 1
            head_line = None
        elif char == ';' and parens == 0:
            head_start = at + 1
            head_line = None
        if head_line is None and not char.isspace() and char not in '{};':
            head_line = line
    return found


def namespace_scope_lines(code):
    """Numbers of the lines that start at namespace scope (outside classes, functions and initialisers)."""
    lines, stack, head_start, line = set(), [], 0, 1
    lines.add(1)
    for at, char in enumerate(code):
        if char == '\n':
            line += 1
            if not stack:
                lines.add(line)
        elif char == '{':
            head = code[head_start:at]
            if not re.search(r'\bnamespace\b[^;{}()=]*$', head) and not re.search(r'extern\s*"\s*C?\s*"\s*$', head):
                stack.append(1)
            elif stack:
                stack.append(1)
            head_start = at + 1
        elif char == '}':
            if stack:
                stack.pop()
            head_start = at + 1
        elif char == ';':
            head_start = at + 1
    return lines
