"""The API's own description (OpenAPI 3.1), made of the options, the limits and the reasons."""

from colorization.inference.options import KNOBS
from colorization.serving.web import uploads
from pipelines.photos import formats

_NAME = {
    "name": uploads.NAME,
    "in": "query",
    "description": "The photo's name at the client; its colored version is named after it.",
    "schema": {"type": "string"},
    "example": "grandmother.jpg",
}
_HINTS = {
    "name": uploads.HINTS,
    "in": "query",
    "description": "What colors things have, in pixels of the photo, for models that take hints: a "
    "JSON object as a text. Long ones travel in the form.",
    "schema": {"type": "string", "contentMediaType": "application/json"},
    "example": '{"hints": [{"point": [310, 220], "color": "#3a5f0b"}]}',
}
_BODY = (
    "The photo file itself, of any media type: its first bytes say what it is. Or a form "
    "with one photo in it, and perhaps a mask and a reference, which may hold the parameters too."
)
_TEXT, _FLAG, _WHOLE = ({"type": name} for name in ("string", "boolean", "integer"))
_POSITIVE = {"type": "integer", "minimum": 1}
_PICTURE = {
    "type": "string",
    "description": "JPEG, or WebP where there is transparency, as a data URL.",
    "pattern": "^data:image/(jpeg|webp);base64,",
}
# Statuses that no photo sent to the right path gets, and those that say when to come again.
_OF_OTHER_REQUESTS, _RETRIED = {404, 405}, {429, 503}


def document(max_variants):
    """Describes the API as a dict for JSON; `max_variants` is the most that may be asked for."""
    knobs = uploads.knobs(max_variants)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Colorize photos",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Colors black-and-white photographs. One request carries one photo, and "
            "its answer the result: the server keeps neither. Failures are problem documents (RFC "
            "9457) whose `detail` is one line for people and whose `reason` is for programs.",
        },
        "servers": [{"url": "/"}],
        "paths": _paths(knobs),
        "components": {"schemas": _schemas(knobs)},
    }


def _paths(knobs):
    pictures = {kind.media_type: {"schema": {}} for kind in formats.FORMATS if kind.writer}
    previewed = {name: knob for name, knob in knobs.items() if name != "variant"}
    metrics = "Counts requests, failures, queue, latency, pixels and memory, for Prometheus."
    return {
        "/api/colorize": _post(
            "colorize",
            "Colors a photo at its own size: all pages, with depth, transparency, metadata and "
            "format. HEIC, GIF, BMP and PNM come back as PNG.",
            knobs,
            {"description": "The colored photo.", "content": pictures},
        ),
        "/api/preview": _post(
            "preview",
            "Shows a photo's first page in several colorings, no side longer than 1,600 "
            "pixels. With the same options `/api/colorize` gives the whole photo in those "
            "colors.",
            previewed,
            _json("The photo before, and its colorings.", "Preview"),
        ),
        "/api/suggest": _post(
            "suggest",
            "Tells which colors the model thinks likely at a place of a photo's first page, "
            "given the hints: the likeliest first.",
            uploads.PLACE,
            _json("The colors.", "Suggestions"),
        ),
        "/api/about": _get("about", _json("Names the model, and what it takes.", "About")),
        "/healthz": _get("health", _json("Says whether the server takes photos.", "Health"), 503),
        "/metrics": _get(
            "metrics", {"description": metrics, "content": {"text/plain": {"schema": _TEXT}}}
        ),
    }


def _post(name, summary, knobs, answer):
    parameters = [_NAME, _HINTS] + [
        {
            "name": key,
            "in": "query",
            "description": knob.help,
            "schema": knob.schema(),
            "required": key in uploads.PLACE,
        }
        for key, knob in knobs.items()
    ]
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    fields = {item["name"]: item["schema"] for item in parameters}
    pictures = {key: file | {"description": KNOBS[key].help} for key in uploads.PICTURES}
    files = {"photo": file} | pictures
    form = {"type": "object", "required": ["photo"], "properties": files | fields}
    failures = {status for status, _ in uploads.REASONS.values()} - _OF_OTHER_REQUESTS
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "parameters": parameters,
            "requestBody": {
                "required": True,
                "description": _BODY,
                "content": {
                    "application/octet-stream": {"schema": {}},
                    "image/*": {"schema": {}},
                    "multipart/form-data": {"schema": form},
                },
            },
            "responses": {"200": answer} | _failures(failures),
        }
    }


def _get(name, answer, *failures):
    answers = {"200": answer} | _failures(failures)
    return {"get": {"operationId": name, "summary": answer["description"], "responses": answers}}


def _failures(statuses):
    found = {}
    for status in sorted(statuses):
        lines = [
            f"`{reason}`: {meaning}"
            for reason, (code, meaning) in uploads.REASONS.items()
            if code == status
        ]
        answer = _json(" ".join(lines), "Problem", uploads.MEDIA_TYPE)
        if status in _RETRIED:
            text = "Whole seconds after which the same request may succeed."
            answer["headers"] = {"Retry-After": {"description": text, "schema": _POSITIVE}}
        found[str(status)] = answer
    return found


def _json(description, schema, media_type="application/json"):
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {media_type: {"schema": reference}}}


def _schemas(knobs):
    model = {"name": _TEXT, "version": {"type": ["integer", "string"]}}
    suggestion = _object(
        color={"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        share={"type": "number", "minimum": 0, "maximum": 1},
    )
    return {
        "Preview": _object(
            name=_TEXT,
            kind={"enum": [kind.name for kind in formats.FORMATS]},
            **dict.fromkeys(("width", "height", "num_pages"), _POSITIVE),
            has_colors=_FLAG,
            seed=knobs["seed"].schema(),
            saturation=knobs["saturation"].schema(),
            before=_PICTURE,
            variants={"type": "array", "minItems": 1, "items": _PICTURE},
        ),
        "About": _object(
            model=_object(**model),
            **dict.fromkeys(("max_bytes", "max_pixels"), _WHOLE),
            max_variants=_POSITIVE,
            **dict.fromkeys(("takes_hints", "gives_suggestions"), _FLAG),
        ),
        "Suggestions": _object(suggestions={"type": "array", "items": suggestion}),
        "Health": _object(status={"const": "ok"}, **model),
        "Problem": _object(
            title=_TEXT,
            status={"type": "integer", "minimum": 400, "maximum": 599},
            detail=_TEXT,
            reason={"enum": list(uploads.REASONS)},
        ),
    }


def _object(**properties):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }
