"""Options that several verbs share, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.vocabulary.user_folders import from_home


def plate_place(text: str) -> str:
    """Check that a plate's folder or file exists; addresses of remote plates go through.

    Raises
    ------
    typer.BadParameter
        If there is no such path.
    """
    from napari_cellclip.plates import remote_address

    if remote_address(text) is None and not from_home(text).exists():
        raise typer.BadParameter(f"Path {text!r} does not exist.")
    return text


PlateArgument = Annotated[
    str,
    typer.Argument(
        parser=plate_place,
        metavar="PLATE",
        show_default=False,
        help="The plate: a folder of images, a load_data.csv or an OME-Zarr folder; or an address, such as "
        "s3://bucket/plate, https://host/plate.zarr or cpg://cpg0016-jump/source_4/BR00123947.",
    ),
]


def screen_place(text: str) -> Path:
    """Check that a screen's folder exists; addresses in object stores go through.

    Raises
    ------
    typer.BadParameter
        If there is no such folder.
    """
    from napari_cellclip.screen.storage.files import is_local, screen_folder

    folder = screen_folder(text)
    if is_local(folder) and not folder.is_dir():
        raise typer.BadParameter(f"Directory {text!r} does not exist.")
    return folder


def new_screen_place(text: str) -> Path:
    """Read where a screen shall be written."""
    from napari_cellclip.screen.storage.files import screen_folder

    return screen_folder(text)


ScreenArgument = Annotated[
    Path,
    typer.Argument(
        parser=screen_place,
        metavar="SCREEN",
        show_default=False,
        help="A screen folder written by 'encode', or an address in an object store, s3://bucket/screen.",
    ),
]

NewScreenOption = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        parser=new_screen_place,
        metavar="SCREEN",
        show_default=False,
        help="Screen folder to write, or an address in an object store, s3://bucket/screen.",
    ),
]

ChannelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        metavar="STAIN=CHANNEL",
        help="Say which channel of the files is which stain, where they do not say it themselves: "
        "--channel DNA=ch5. Once for each stain (DNA, ER, RNA, AGP, Mito).",
    ),
]

PatternOption = Annotated[
    str | None,
    typer.Option(
        help="How image files are named, for folders whose naming is not recognised: "
        "'{well}_s{site}_{channel}.tif'."
    ),
]

ImageRootOption = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Folder that holds the images, where a load_data.csv speaks of paths on another computer.",
    ),
]

NameOption = Annotated[
    str | None,
    typer.Option(
        "--plate-name",
        help="Name of the plate; where one table tells of several plates, which of them to open.",
    ),
]

TimeOption = Annotated[
    int | None,
    typer.Option(
        "--time",
        help="Time point to open where the files hold several, as they count them; the first unless given.",
    ),
]

ProjectionOption = Annotated[
    str,
    typer.Option(
        "--projection",
        help="What becomes of several focal planes of a stain: max, mean, focus (sharpest of each stain) "
        "or dna-focus (the plane where DNA is sharpest, for all stains).",
    ),
]

ExcludeQualityOption = Annotated[
    str | None,
    typer.Option(
        "--exclude-quality",
        metavar="FLAGS",
        show_default=False,
        help="Leave sites out of their wells' embeddings that are flagged: some of 'out of focus', saturated,"
        " empty, background, with commas between; 'all'; or 'none' to take all back. Unchanged if not given.",
    ),
]

DeviceOption = Annotated[
    str,
    typer.Option(help="Where to compute: auto, cpu, cuda or mps (Apple); auto takes the fastest present."),
]

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for scripts instead of text; progress stays on stderr.")
]


def quality_flags(text: str | None) -> tuple[str, ...] | None:
    """Read ``"saturated,empty"`` into flags; ``None`` where nothing was typed.

    Raises
    ------
    typer.BadParameter
        If one of them is no flag.
    """
    from napari_cellclip.screen.quality import FLAGS

    if text is None:
        return None
    if text.strip() in ("all", "none"):
        return FLAGS if text.strip() == "all" else ()
    flags = tuple(part.strip() for part in text.split(","))
    for flag in flags:
        if flag not in FLAGS:
            raise typer.BadParameter(
                f"{flag!r} is nothing a site is flagged as: use {', '.join(FLAGS)}, all or none",
                param_hint="--exclude-quality",
            )
    return flags


def channel_mapping(pairs: list[str] | None) -> dict[str, str] | None:
    """Read ``["DNA=ch5", …]`` into ``{"DNA": "ch5", …}``.

    Parameters
    ----------
    pairs : list of str or None
        As typed after ``--channel``.

    Returns
    -------
    dict or None
        Stain name to channel, ``None`` where nothing was typed.

    Raises
    ------
    typer.BadParameter
        If a pair lacks its equals sign, names no stain, or a stain comes twice.
    """
    from napari_cellclip.vocabulary import STAINS

    by_name = {stain.value.lower(): stain.value for stain in STAINS}
    mapping: dict[str, str] = {}
    for pair in pairs or ():
        stain, equals, channel = (part.strip() for part in pair.partition("="))
        name = by_name.get(stain.lower())
        if not (equals and channel):
            raise typer.BadParameter(f"{pair!r} should read STAIN=CHANNEL, such as DNA=ch5")
        if name is None:
            raise typer.BadParameter(f"{stain!r} is not a stain: use one of {', '.join(by_name.values())}")
        if name in mapping:
            raise typer.BadParameter(f"{name} is given twice, as {mapping[name]!r} and {channel!r}")
        mapping[name] = channel
    return mapping or None
