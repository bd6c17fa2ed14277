"""Parameters out of configuration files that a run read: YAML, TOML, JSON, INI, flattened to dotted keys."""

from __future__ import annotations

import configparser
import json
import os
import tomllib
from typing import Any

import yaml

from lineal.capture import redact
from lineal.core.diff import flatten
from lineal.deliver.kinds import extension

LARGEST = 1 << 16  # bytes; a larger file is data
MOST = 500  # values taken of one file


def parameters(path: bytes) -> dict[str, str]:
    """`<file's stem>.<dotted key>` -> value as text, secrets redacted; empty when the file cannot be read as settings."""
    try:
        if os.path.getsize(path) > LARGEST:
            return {}
        with open(path, encoding="utf-8") as file:
            values = _parse(extension(path), file.read())
    except (OSError, ValueError, RecursionError, yaml.YAMLError, configparser.Error):
        return {}
    if not isinstance(values, dict):
        return {}
    clean = redact.mapping(values)
    stem = os.path.splitext(os.path.basename(os.fsdecode(path)))[0]
    stem = stem.encode("utf-8", "backslashreplace").decode()
    return {f"{stem}.{key}": _text(value) for key, value in flatten(clean, most=MOST).items() if key}


def _parse(ending: str, text: str) -> Any:
    if ending in (".yaml", ".yml"):
        return yaml.safe_load(text)
    if ending == ".toml":
        return tomllib.loads(text)
    if ending == ".json":
        return json.loads(text)
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
