"""May two versions of a record meet on one topic?

A topic keeps messages of the last version while the new one is rolled out, and a job may be rolled back: so the new
version must read what the last one wrote, and the last one what the new one writes. Readers ignore unknown fields and
take absent optional ones for their default; hence the one change that is always safe is a new optional field.

The schemas are those that msgspec generates (JSON Schema 2020-12, a small part of it); a keyword that is not known
here is reported rather than passed over.
"""

from typing import Any

Schema = dict[str, Any]

PROSE = {"title", "description", "$schema", "$defs", "$id", "examples"}
LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
)
FORMS = ("pattern", "format", "contentEncoding")
SHAPE = ("type", "enum", "anyOf", "$ref", "properties", "required", "items", "additionalProperties", "default")
KNOWN = {*PROSE, *LIMITS, *FORMS, *SHAPE}


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """Why messages of `old` and `new` cannot lie on one topic; empty when they can.

    >>> old = {"type": "object", "properties": {"runs": {"type": "integer"}}, "required": ["runs"]}
    >>> new = {"type": "object", "properties": {"runs": {"type": "string"}}, "required": ["runs"]}
    >>> incompatibilities(old, new)
    ['runs: was integer, is string']
    """
    return list(dict.fromkeys(_differences(_resolved(old, old), _resolved(new, new), old, new, "")))


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema itself when it is a reference, with the keywords beside the reference kept."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found = root["$defs"][reference.rpartition("/")[2]]
    return {**_resolved(found, root), **{key: value for key, value in schema.items() if key != "$ref"}}


def _differences(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> list[str]:
    at = where or "the record"
    strange = sorted((old.keys() | new.keys()) - KNOWN)
    if strange:
        return [f"{at}: {', '.join(strange)} is not understood by the compatibility check"]
    if "anyOf" in old or "anyOf" in new:
        return _alternatives(old, new, old_root, new_root, at) + _defaults(old, new, at)
    if _kind(old) != _kind(new):
        return [f"{at}: was {_kind(old)}, is {_kind(new)}"]
    told = _enums(old, new, at) + _bounds(old, new, at) + _defaults(old, new, at)
    told += _fields(old, new, old_root, new_root, where)
    for inner, step in (("items", "[]"), ("additionalProperties", "{}")):
        before, after = old.get(inner), new.get(inner)
        if isinstance(before, dict) and isinstance(after, dict):
            told += _differences(
                _resolved(before, old_root), _resolved(after, new_root), old_root, new_root, where + step
            )
        elif before != after:
            told.append(f"{at}: {inner} changed")
    return told


def _kind(schema: Schema) -> str:
    """The type that is told to people; an enumeration has the type of its values."""
    if "enum" in schema and "type" not in schema:
        return "integer" if all(isinstance(value, int) for value in schema["enum"]) else "string"
    return str(schema.get("type", "any"))


def _alternatives(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> list[str]:
    """Alternatives meet when each finds its like on the other side: `x | null` stays `x | null`."""
    before, after = (
        [_resolved(option, root) for option in schema.get("anyOf", [schema])]
        for schema, root in ((old, old_root), (new, new_root))
    )
    if sorted(map(_kind, before)) != sorted(map(_kind, after)):
        return [f"{at}: was {' or '.join(map(_kind, before))}, is {' or '.join(map(_kind, after))}"]
    told = []
    for option in before:
        likes = [_differences(option, like, old_root, new_root, at) for like in after if _kind(like) == _kind(option)]
        told += sorted(likes, key=len)[0]
    return told


def _enums(old: Schema, new: Schema, at: str) -> list[str]:
    if ("enum" in old) != ("enum" in new):
        return [f"{at}: {'an enumeration' if 'enum' in new else 'no enumeration'} now"]
    before, after = set(old.get("enum", ())), set(new.get("enum", ()))
    told = [f"{at}: the new version refuses {value!r}" for value in sorted(before - after)]
    return told + [f"{at}: the last version refuses {value!r}" for value in sorted(after - before)]


def _bounds(old: Schema, new: Schema, at: str) -> list[str]:
    """A wider bound is refused by the last version, a narrower one by the new: neither may move."""
    return [
        f"{at}: {bound} was {old.get(bound, 'free')}, is {new.get(bound, 'free')}"
        for bound in (*LIMITS, *FORMS)
        if old.get(bound) != new.get(bound)
    ]


def _defaults(old: Schema, new: Schema, at: str) -> list[str]:
    """A changed default gives the field that an old message left out another meaning."""
    if "default" in old and "default" in new and old["default"] != new["default"]:
        return [f"{at}: an absent value meant {old['default']!r}, means {new['default']!r}"]
    return []


def _fields(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
    told = []
    for name, schema in before.items():
        at = f"{where}.{name}" if where else name
        if name not in after:
            told.append(f"{at}: removed; stop filling it instead")
            continue
        told += _differences(_resolved(schema, old_root), _resolved(after[name], new_root), old_root, new_root, at)
        if (name in must_before) != (name in must_after):
            told.append(f"{at}: was {'required' if name in must_before else 'optional'}, is not any more")
    added = [name for name in after if name not in before and name in must_after]
    return told + [f"{where}.{name}".lstrip(".") + ": new and required; give it a default" for name in added]
