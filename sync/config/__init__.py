"""The configuration: one TOML file, read strictly. An unknown key is an error with a suggestion; a secret is never in it.

Values may be `${NAME}` (an environment variable) or `file:/path` (the file's first line): that is how secrets come in.
The envelope of a connection (adapter, role, schedule) is checked here; the rest of its keys belong to the adapter's own
settings model, so that a plug-in is configurable without touching the hub.
"""

from sync.config.checks import cannot_delete
from sync.config.loading import build, load, settings_error
from sync.config.sections import (
    DEFAULT_PIPELINE,
    ROLES,
    WHOLE_KINDS,
    Config,
    Connection,
    Flow,
    Pipeline,
    Web,
    When,
    seconds,
)

__all__ = [
    "DEFAULT_PIPELINE",
    "ROLES",
    "WHOLE_KINDS",
    "Config",
    "Connection",
    "Flow",
    "Pipeline",
    "Web",
    "When",
    "build",
    "cannot_delete",
    "load",
    "seconds",
    "settings_error",
]
