"""Read, check and write the settings of a training run: one TOML or YAML file, every key explained."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from napari_cellclip.training.config_sections import (
    CaptionConfig,
    DataConfig,
    LogConfig,
    ModelConfig,
    Section,
    SplitConfig,
    TrainingConfig,
    ValidationConfig,
)
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.regular_files import read_regular
from napari_cellclip.vocabulary.user_folders import from_home

MAX_BYTES = 2**24
RUN_FILE = "run.toml"
"""Name under which the settings lie in the model folder they made."""


class RunConfig(Section):
    """Everything that decides a run.

    Examples
    --------
    >>> run = RunConfig.from_dict({"training": {"epochs": 3}, "split": {"by": "plate"}})
    >>> run.training.epochs, run.validation.score
    (3, 'mrr')
    """

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    captions: CaptionConfig = CaptionConfig()
    split: SplitConfig = SplitConfig()
    training: TrainingConfig = TrainingConfig()
    validation: ValidationConfig = ValidationConfig()
    log: LogConfig = LogConfig()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], source: str = "the settings") -> RunConfig:
        """Check settings given as nested tables.

        Raises
        ------
        CellClipError
            Naming the first key that is unknown or holds the wrong thing.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"]) or "the file"
            unknown = first["type"] in ("extra_forbidden", "unexpected_keyword_argument")
            what = "there is no such setting" if unknown else first["msg"].removeprefix("Value error, ")
            given = "" if unknown or isinstance(first["input"], dict) else f", not {first['input']!r}"
            raise CellClipError(
                f"{source}: {key}: {what}{given}; 'napari-cellclip train --print-config' lists all settings"
            ) from error

    @classmethod
    def read(cls, path: str | Path) -> RunConfig:
        """Read a TOML or YAML file; relative paths in it start at its folder.

        Raises
        ------
        CellClipError
            If the file cannot be read, or a key in it is wrong.
        """
        path = from_home(path)
        try:
            text = read_regular(path, MAX_BYTES).decode("utf-8")
            content = yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else tomllib.loads(text)
        except RecursionError:
            raise CellClipError(f"{path} cannot be read: its lists are nested too deeply") from None
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise CellClipError(f"{path} cannot be read as settings of a run: {error}") from error
        if content is not None and not isinstance(content, dict):
            raise CellClipError(f"{path} holds no settings: expected sections such as [training]")
        run = cls.from_dict(content or {}, str(path))
        here = path.resolve().parent

        def place(name: str) -> str:
            return str(here / from_home(name)) if name else ""

        def model(name: str) -> str:
            return place(name) if name and (here / from_home(name)).exists() else name

        places = {
            "out": place(run.model.out),
            "start": model(run.model.start),
            "text_from": model(run.model.text_from),
        }
        return run.model_copy(
            update={
                "data": run.data.model_copy(update={"screens": tuple(map(place, run.data.screens))}),
                "model": run.model.model_copy(update=places),
            }
        )

    def merged(self, **sections: Mapping[str, Any]) -> RunConfig:
        """These settings with others in some places: ``merged(training={"epochs": 3})``.

        Raises
        ------
        CellClipError
            As `from_dict`.
        """
        content = self.as_dict()
        for name, changes in sections.items():
            content[name] = {**content.get(name, {}), **changes}
        return type(self).from_dict(content)

    def as_dict(self) -> dict[str, Any]:
        """Nested tables of plain values, as the file and the model card hold them."""
        return self.model_dump(mode="json")

    def to_toml(self) -> str:
        """Write the settings as TOML, each with its explanation; what is not set stands as a comment."""
        lines: list[str] = []
        for section, values in self.as_dict().items():
            kind = type(getattr(self, section))
            fields = kind.__pydantic_fields__
            lines += [f"# {(kind.__doc__ or section).splitlines()[0]}", f"[{section}]"]
            for key, value in values.items():
                lines.append(f"# {fields[key].description}")
                lines.append(f"# {key} =" if value is None else f"{key} = {_toml(value)}")
            lines.append("")
        return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
    return repr(value)
