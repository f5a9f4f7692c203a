from typing import Any, Final

VERSION: Final[str]
BUILD_CONFIG: Final[dict[str, Any]]
