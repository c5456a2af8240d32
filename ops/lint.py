"""What is wrong with the documents of the API themselves. Apart from `ops.contract`, because a web server
need not load the validators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from openapi_spec_validator import OpenAPIV31SpecValidator

from ops import contract
from ops.contract import Schema


def findings() -> list[str]:
    """What is wrong with the documents themselves."""
    served = contract.documents()
    errors = OpenAPIV31SpecValidator(served["openapi"]).iter_errors()
    found = [f"openapi {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]
    return found + _lint_asyncapi(served["asyncapi"])


def _lint_asyncapi(said: Schema) -> list[str]:
    """There is no kept-up validator of AsyncAPI 3 in Python: its parts, its references, its schemas."""
    missing = {"asyncapi", "info", "channels", "operations", "components"} - said.keys()
    found = [f"asyncapi: {name} is missing" for name in sorted(missing)]
    found += [f"asyncapi: {each} leads nowhere" for each in _references(said) if not _leads(said, each)]
    for name, schema in said["components"]["schemas"].items():
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            found.append(f"asyncapi {name}: {error.message[:300]}")
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    for inner in part if isinstance(part, list) else ():
        yield from _references(inner)


def _leads(said: Any, reference: str) -> bool:
    for step in reference.removeprefix("#/").split("/"):
        if not isinstance(said, dict) or step not in said:
            return False
        said = said[step]
    return True
