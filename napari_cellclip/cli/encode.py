"""``napari-cellclip encode PLATE``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_cellclip.cli.info import confirmed_option
from napari_cellclip.cli.options import (
    ChannelOption,
    DeviceOption,
    ExcludeQualityOption,
    ImageRootOption,
    NameOption,
    NewScreenOption,
    PatternOption,
    PlateArgument,
    ProjectionOption,
    TimeOption,
    channel_mapping,
    quality_flags,
)
from napari_cellclip.cli.progress import follow, with_notices
from napari_cellclip.cli.quality import exclusion_line
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate, PlateMap
    from napari_cellclip.screen import Screen


def encode(
    plate: PlateArgument,
    out: NewScreenOption,
    platemap: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Table (CSV, TSV, Excel) of what each well got; if not given, the one beside the images.",
        ),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Compound table joined to the plate map on broad_sample (JUMP)."
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option(
            help="Decimal sign of the plate map's doses, . or , where they do not tell it: is 1,000 one?"
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model: demo (bundled, trained on simulations), cellclip, or a model folder; if not given, "
            "the one the screen was made with, and demo for a new screen."
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Local folder with the model's channel encoder (DINOv2)."
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Local folder with the model's vocab.txt."),
    ] = None,
    accept_licence: Annotated[
        bool,
        typer.Option(
            "--accept-licence",
            help="Say yes to the licence of published weights, so that they may be fetched. "
            "CellCLIP's: CC BY-NC-ND 4.0, no commercial use.",
        ),
    ] = False,
    channel: ChannelOption = None,
    pattern: PatternOption = None,
    image_root: ImageRootOption = None,
    plate_name: NameOption = None,
    time: TimeOption = None,
    projection: ProjectionOption = "max",
    illumination: Annotated[
        str,
        typer.Option(
            metavar="SOURCE",
            help="Divide each stain by an illumination function: 'estimate' (from the plate's own fields), "
            "'load_data' (the .npy files its table names) or a folder with CellProfiler's. None unless asked "
            "for: published weights were trained without. A run that goes on keeps what it began with.",
        ),
    ] = "none",
    exclude_quality: ExcludeQualityOption = None,
    device: DeviceOption = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Crops encoded at once; less takes less memory. If not given, a GPU is measured.",
            show_default="64 on a processor",
        ),
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            help="Number format of the channel encoder; auto measures whether bfloat16 is faster here and "
            "gives the same features."
        ),
    ] = "auto",
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            help="Where shards are encoded: on this machine, or on the Ray cluster of RAY_ADDRESS; plate, "
            "model and screen must lie where all its machines see them."
        ),
    ] = "local",
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Encode only every N-th shard from the I-th, as one of N tasks of a cluster: "
            "$SLURM_ARRAY_TASK_ID/16. Whichever ends last embeds the wells; any may be run again.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try the images again that could not be used last time.")
    ] = False,
) -> None:
    """Turn the images of a plate into embeddings.

    Done once; then ask as often as you like. May be stopped with Ctrl-C at any time and started
    again with the same command: it goes on where it stopped. Images that cannot be read are listed
    at the end and do not end the run.

    Example: napari-cellclip encode my-plate --platemap my-plate/platemap.csv --model demo --out my-screen
    """
    from napari_cellclip.plates import open_plate, remote_address

    here = remote_address(plate) is None
    opened = open_plate(
        from_home(plate).absolute() if engine == "ray" and here else plate,
        channels=channel_mapping(channel),
        pattern=pattern,
        image_root=image_root,
        name=plate_name,
        time=time,
        projection=projection,  # type: ignore[arg-type]
    )
    flags = quality_flags(exclude_quality)
    part = part_of(shard)
    _require_stains(opened)  # before the model loads: a refusal should not take a minute
    place = Path(plate) if opened.address == str(opened.path) else opened.path
    labels = read_platemap(opened, place, platemap, metadata, decimal)

    from napari_cellclip.model import load_model
    from napari_cellclip.screen import Screen, iter_encode
    from napari_cellclip.screen.plate_run import is_whole
    from napari_cellclip.screen.quality import FLAGGED
    from napari_cellclip.screen.storage.failures import reasons
    from napari_cellclip.screen.storage.files import exists

    before = Screen.open(out) if exists(out / "screen.json") else None
    opened = illuminated(opened, illumination, image_root, before)
    loaded = load_model(
        model or (before.origin if before is not None else "demo"),
        device=device,
        encoder=encoder,
        tokenizer=tokenizer,
        accept_licence=accept_licence,
        batch_size=batch_size,
    )
    steps = iter_encode(
        opened, labels, loaded, out, retry_failed=retry_failed, precision=precision, engine=engine, part=part
    )
    follow(with_notices(steps), "encoding")
    screen = Screen.open(out)
    if part is not None and not is_whole(out, opened.name, loaded.card.encoder_hash):
        print(f"{out}: part {shard} is encoded; others of plate {opened.name} are not yet", file=sys.stderr)
        return
    if flags is not None:
        screen = screen.exclude(flags, loaded)
    if before is not None and before.card.card_hash != screen.card.card_hash:
        print(f"{out} now answers with {screen.card.name} (before: {before.card.name})", file=sys.stderr)
    encoded = int((screen.wells["Metadata_sites"] > 0).sum())
    print(f"{out}: {encoded} of {len(screen.wells)} wells encoded with {loaded.card.name}", file=sys.stderr)
    if failed := len(screen.failures):
        print(f"{failed} {'site' if failed == 1 else 'sites'} could not be used:", file=sys.stderr)
        for site, why in reasons(screen.failures):
            print(f"  {site}: {why}", file=sys.stderr)
    if flagged := (screen.quality[FLAGGED] != "").sum():
        print(
            f"{flagged} {'site stands' if flagged == 1 else 'sites stand'} out in quality:"
            f" 'napari-cellclip quality {out}' lists them",
            file=sys.stderr,
        )
    if screen.excluded:
        print(exclusion_line(screen), file=sys.stderr)
    mine = screen.wells["Metadata_Plate"] == opened.name
    if not screen.wells.loc[mine, "Metadata_sites"].any():  # whatever other plates the screen has
        print(f"nothing of plate {opened.name} is encoded: mend its images and run the same", file=sys.stderr)
        raise typer.Exit(1)
    print(out)


def part_of(text: str | None) -> tuple[int, int] | None:
    """Read ``--shard``."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise typer.BadParameter(f"{text!r} is no part such as 3/16, of 1/16 to 16/16", param_hint="--shard")
    return int(found[1]), int(found[2])


def _require_stains(plate: Plate) -> None:
    """Refuse a plate without all stains, and name what the user confirmed in the window for its kind."""
    from napari_cellclip.vocabulary import StainError

    try:
        plate.require_stains()
    except StainError as error:
        if confirmed := confirmed_option(plate):
            raise StainError(f"{error}. Or: {confirmed}") from None
        raise


def illuminated(plate: Plate, source: str, image_root: Path | None, before: Screen | None) -> Plate:
    """Correct the illumination of a plate as asked for; in a screen that has it, as when it was begun."""
    from napari_cellclip.plates.illumination_functions import illumination_of
    from napari_cellclip.screen.storage.processing import as_encoded, described

    record = before.plates.get(plate.name) if before is not None else None
    if before is not None and record is not None and record.illumination is not None:
        print(f"{plate.name}: {described(record)}, as when it was begun", file=sys.stderr)
        return as_encoded(before.path, record, plate)
    corrected = plate.with_illumination(illumination_of(plate, source, image_root))
    if corrected.processing.illumination is not None:
        print(f"illumination: {corrected.processing.illumination.source}", file=sys.stderr)
    return corrected


def read_platemap(
    plate: Plate, path: Path, table: Path | None, metadata: Path | None, decimal: str | None = None
) -> PlateMap | None:
    """Read the plate map that was named, or the one beside the images, and say what does not fit."""
    from napari_cellclip.plates import PlateMap, find_platemap
    from napari_cellclip.vocabulary import PlateMapError

    found = table or find_platemap(path)
    if found is None:
        print("no plate map beside the images: give one with --platemap, now or later", file=sys.stderr)
        return None
    if decimal not in (None, ".", ","):
        raise typer.BadParameter("the decimal sign is . or ,", param_hint="--decimal")
    sign: Any = decimal
    labels = PlateMap.read(found, metadata=metadata, plate=plate.name, decimal=sign)
    if table is None:
        print(f"plate map: {found}", file=sys.stderr)
    if not any(well.name in labels for well in plate.wells):
        raise PlateMapError(
            f"{found}: none of its wells has images on plate {plate.name}; is it another plate's map?"
        )
    for problem in labels.check(plate):
        print(f"{problem.subject}: {problem.what}", file=sys.stderr)
    return labels
