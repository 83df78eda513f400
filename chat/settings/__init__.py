"""Every setting of the program: one schema, four layers, one file that may hold the key."""

from chat.settings.connection import LOCAL_BACKENDS, PRESETS, Connection, ConnectionUpdate, Preset, check_key
from chat.settings.endpoint import (
    check_base_url,
    check_bind,
    is_forbidden_address,
    is_loopback,
    parse_base_url,
)
from chat.settings.load import load_settings
from chat.settings.save import save_connection
from chat.settings.schema import Breaker, Limits, PromptBudget, Settings, Timeouts

__all__ = [
    "LOCAL_BACKENDS",
    "PRESETS",
    "Breaker",
    "Connection",
    "ConnectionUpdate",
    "Limits",
    "Preset",
    "PromptBudget",
    "Settings",
    "Timeouts",
    "check_base_url",
    "check_bind",
    "check_key",
    "is_forbidden_address",
    "is_loopback",
    "load_settings",
    "parse_base_url",
    "save_connection",
]
