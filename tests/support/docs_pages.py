"""The pages of /api/docs and /api/docs/ws from docs/openapi.yaml and
docs/asyncapi.yaml.

    cd tests && /usr/bin/python3 -m support.docs_pages

writes them; a test holds them against the documents. They need no script and
nothing from another host.

SPDX-License-Identifier: MIT
"""

import json
import re
from html import escape
from pathlib import Path

from . import answers, frames

WWW = Path(__file__).resolve().parents[2] / "gateway" / "www"

PAGE = """\
<!DOCTYPE html>
<!-- Made by tests/support/docs_pages.py. SPDX-License-Identifier: MIT -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<nav aria-label="Contents">
<p><a href="/api/docs">HTTP</a> <a href="/api/docs/ws">WebSocket</a></p>
{contents}
</nav>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def prose(text):
    """Text with `code`, **strong** and [links](to) as HTML, without a frame."""
    text = escape(text.strip(), quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', text)


def paragraphs(text):
    return "\n".join(f"<p>{prose(part)}</p>"
                     for part in re.split(r"\n\s*\n", text.strip()))


def example(value):
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre><code>{escape(text, quote=False)}</code></pre>"


# ---- schemas ---------------------------------------------------------------------

def link(pointer):
    name = pointer.rsplit("/", 1)[1]
    return f'<a href="#schema-{name}">{name}</a>'


def literal(value):
    return f"<code>{escape(json.dumps(value), quote=False)}</code>"


LIMITS = (("minimum", "from {}"), ("maximum", "up to {}"),
          ("minLength", "at least {} characters"),
          ("maxLength", "at most {} characters"),
          ("minItems", "at least {}"), ("maxItems", "at most {}"))


def kind_of(schema):
    """A schema in one line."""
    if "$ref" in schema:
        return link(schema["$ref"])
    if "oneOf" in schema:
        return " or ".join(kind_of(s) for s in schema["oneOf"])
    if "const" in schema:
        return literal(schema["const"])
    if "enum" in schema:
        return " or ".join(map(literal, schema["enum"]))
    types = schema.get("type", "anything")
    types = types if isinstance(types, list) else [types]
    text = " or ".join(types)
    if "array" in types:
        text = f"array of {kind_of(schema['items'])}"
    elif schema.get("format"):
        text += f" ({schema['format']})"
    elif schema.get("contentMediaType"):
        text = f"file ({schema['contentMediaType']})"
    elif schema.get("pattern"):
        text += f" like <code>{escape(schema['pattern'])}</code>"
    limits = [words.format(f"{schema[key]:,}") for key, words in LIMITS
              if key in schema]
    return ", ".join([text, *limits])


def rows_of(schema, prefix=""):
    for key, inner in schema.get("properties", {}).items():
        if inner.get("x-ignored"):
            yield prefix + key, "anything", False, "Not taken from the client."
            continue
        yield (prefix + key, kind_of(inner), key in schema.get("required", []),
               inner.get("description", ""))
        yield from rows_of(inner, prefix + key + ".")


def table(schema):
    rows = list(rows_of(schema))
    if not rows:
        return ""
    out = ["<table>", "<thead><tr><th>Key</th><th>Value</th><th>Always</th>"
           "<th>Meaning</th></tr></thead>", "<tbody>"]
    out += [f"<tr><td><code>{escape(key)}</code></td><td>{kind}</td>"
            f"<td>{'yes' if required else ''}</td><td>{prose(text)}</td></tr>"
            for key, kind, required, text in rows]
    return "\n".join([*out, "</tbody>", "</table>"])


def object_of(schema):
    """What stands in an object; of a result, on success and on failure."""
    if "$ref" in schema or "oneOf" not in schema:
        return table(schema) or f"<p>{kind_of(schema)}</p>"
    if not all("properties" in s for s in schema["oneOf"]):
        return f"<p>{kind_of(schema)}</p>"
    return "\n<p>or</p>\n".join(table(s) for s in schema["oneOf"])


def schemas(document):
    out = ['<h2 id="schemas">Values and objects</h2>']
    for name, schema in document["components"]["schemas"].items():
        out.append(f'<section id="schema-{name}">\n<h3>{name}</h3>')
        if "description" in schema:
            out.append(paragraphs(schema["description"]))
        out.append(object_of(schema))
        out.append("</section>")
    return out


# ---- the WebSocket's page ----------------------------------------------------------

def contents(groups):
    out = []
    for title, items in groups:
        out.append(f"<h2>{title}</h2>\n<ul>")
        out += [f'<li><a href="#{anchor}">{escape(text)}</a></li>'
                for anchor, text in items]
        out.append("</ul>")
    return "\n".join(out)


def message_links(references):
    keys = [r["$ref"].rsplit("/", 1)[1] for r in references]
    return ", ".join(f'<a href="#{key}"><code>{frames.MESSAGES[key]["name"]}'
                     f"</code></a>" for key in keys)


def message_section(document, key):
    message = document["components"]["messages"][key]
    out = [f'<section id="{key}">',
           f"<h3><code>{message['name']}</code></h3>",
           paragraphs(message["summary"]), object_of(message["payload"])]
    operation = document["operations"].get(message["name"], {})
    if key.startswith("request_") and "reply" in operation:
        out.append("<p>Answers: "
                   + message_links(operation["reply"]["messages"]) + "</p>")
    out += [example(e["payload"]) for e in message["examples"]]
    return [*out, "</section>"]


def render_ws():
    document = frames.DOCUMENT.content
    groups = [("Front to back", frames.REQUESTS, "requests"),
              ("Back to front", frames.EVENTS, "events")]
    out = [paragraphs(document["info"]["description"])]
    for title, messages, anchor in groups:
        out.append(f'<h2 id="{anchor}">{title}</h2>')
        for key in messages.values():
            out += message_section(document, key)
    out += schemas(document)
    listed = [(title, [(key, name) for name, key in messages.items()])
              for title, messages, _ in groups]
    listed.append(("More", [("schemas", "Values and objects")]))
    return PAGE.format(title=document["info"]["title"],
                       contents=contents(listed), body="\n".join(out))


# ---- HTTP's page ------------------------------------------------------------------

def media(content):
    out = []
    for kind, inner in content.items():
        out.append(f"<p><code>{kind}</code>: {kind_of(inner['schema'])}</p>")
        if "example" in inner:
            out.append(example(inner["example"]))
    return out


def parameters(item, operation):
    found = [answers.follow(p) for p in [*item.get("parameters", []),
                                         *operation.get("parameters", [])]]
    schema = {"properties": {p["name"]: dict(
        p["schema"], description=p.get("description", "")) for p in found},
        "required": [p["name"] for p in found if p.get("required")]}
    return table(schema)


def operation_section(path, item, method):
    operation = item[method]
    out = [f'<section id="{operation["operationId"]}">',
           f"<h3><code>{method.upper()} {escape(path)}</code></h3>",
           paragraphs(operation["summary"])]
    if "description" in operation:
        out.append(paragraphs(operation["description"]))
    if "security" in operation:
        out.append("<p>Needs <code>Authorization: Bearer</code>.</p>")
    out.append(parameters(item, operation))
    if "requestBody" in operation:
        out.append("<h4>Request</h4>")
        out += media(answers.follow(operation["requestBody"])["content"])
    for status, response in operation["responses"].items():
        response = answers.follow(response)
        out.append(f"<h4>{status}</h4>")
        out.append(paragraphs(response["description"]))
        out += media(response.get("content", {}))
    return [line for line in out if line] + ["</section>"]


def render_http():
    document = answers.DOCUMENT.content
    out = [paragraphs(document["info"]["description"])]
    listed = []
    for tag in document["tags"]:
        out.append(f"<h2>{tag['name'].capitalize()}</h2>")
        out.append(paragraphs(tag["description"]))
        items = []
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if method != "parameters" and tag["name"] in operation["tags"]:
                    out += operation_section(path, item, method)
                    items.append((operation["operationId"],
                                  f"{method.upper()} {path}"))
        listed.append((tag["name"].capitalize(), items))
    out += schemas(document)
    listed.append(("More", [("schemas", "Values and objects")]))
    return PAGE.format(title=document["info"]["title"],
                       contents=contents(listed), body="\n".join(out))


PAGES = {WWW / "docs-ws.html": render_ws, WWW / "docs-http.html": render_http}


if __name__ == "__main__":
    for page, render in PAGES.items():
        page.write_text(render())
