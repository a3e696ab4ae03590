"""app/store/roles.py without the product around it: importing `app` costs a second and 60 MB."""

import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from local.program import PROJECT

if TYPE_CHECKING:
    from app.store import roles
else:

    def _load() -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            "local.product_roles", PROJECT / "app" / "store" / "roles.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    roles = _load()

__all__ = ["roles"]
