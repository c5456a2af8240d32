"""How drf-spectacular reads a door: the name of an operation, and how one signs in."""

from __future__ import annotations

import re
from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

Schema = dict[str, Any]
SIGN_INS: Final[list[Schema]] = [{"token": []}, {"keyId": [], "keySecret": []}, {"session": []}]


class DoorSchema(AutoSchema):
    """DEFAULT_SCHEMA_CLASS: names of operations that stay as they are, and how one signs in."""

    def get_operation_id(self) -> str:
        words = re.findall(r"\w+", self.path.removeprefix("/api"))
        return "_".join([self.method.lower(), *words])

    def get_auth(self) -> list[Schema]:
        signed = SIGN_INS if self.view.get_authenticators() else []
        anybody = any(isinstance(each, AllowAny) for each in self.view.get_permissions())
        return [*([{}] if anybody else []), *signed]
