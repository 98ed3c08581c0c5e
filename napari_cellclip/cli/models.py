"""``napari-cellclip models``: what can be loaded by name, fetching it, and starting a new one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellclip.cli.options import JsonOption

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard

models = typer.Typer(
    no_args_is_help=False,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", show_default=False, help="A name that 'models' lists, or a model folder."),
]
AcceptOption = Annotated[
    bool,
    typer.Option("--accept-licence", help="Say yes to the licence without being asked; it is remembered."),
]


@models.callback()
def listing(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List, fetch and start models.

    Without a sub-verb, lists those that can be loaded by name.

    Example: napari-cellclip models fetch cellclip
    """
    if ctx.invoked_subcommand is not None:
        return
    rows = [facts(card, folder) for card, folder in _known()]
    print(json.dumps(rows, indent=2) if as_json else "\n".join(_lines(row) for row in rows))


@models.command()
def card(name: NameArgument) -> None:
    """Show a model's card as JSON.

    Encoder, pixels, prompts, licence, limits and scores.

    Example: napari-cellclip models card cellclip
    """
    from napari_cellclip.model.registry import find_model

    print(find_model(name)[0].to_json(), end="")


@models.command()
def fetch(
    name: NameArgument,
    accept_licence: AcceptOption = False,
    revision: Annotated[
        str | None,
        typer.Option(
            help="Commit, tag or branch of the CellCLIP weights, from now on; if not given, the commit of "
            "the first fetch."
        ),
    ] = None,
) -> None:
    """Fetch a model, after licence and sizes.

    From huggingface.co. May be stopped at any time; the same command goes on where it stopped.
    Afterwards no network is needed.

    Example: napari-cellclip models fetch cellclip
    """
    from napari_cellclip.model.registry import find_model
    from napari_cellclip.model.weights.card_files import CardFiles
    from napari_cellclip.model.weights.hub import choose_revision, needed, readable, total_size
    from napari_cellclip.model.weights.hub_client import stated_licence

    found, folder = find_model(name)
    if revision is not None:
        choose_revision(found.weights, revision)
    files = needed(found, ask_hub=True)
    if not files:
        print(f"{found.name} is whole in {folder}: there is nothing to fetch", file=sys.stderr)
        return
    for one in files:
        state = "here" if one.here else readable(one.file.size) if one.file.size else "size not known"
        print(f"  {one.file.repo}/{one.file.file} @ {one.file.revision[:12]}  {state}", file=sys.stderr)
    print(f"to fetch: {readable(total_size(files))}", file=sys.stderr)
    for repo in dict.fromkeys(one.file.repo for one in files if not one.here):
        if stated := stated_licence(repo):
            print(f"https://huggingface.co/{repo} states the licence {stated}", file=sys.stderr)
    ask_licence(found, accept_licence)
    source = CardFiles(found, folder, accept_licence=True)
    source.weights()
    source.settings()
    path, weights = source.encoder()
    if weights.repo:
        source.check(path, found.encoder.weights, weights)
    source.tokenizer()
    print(f"{found.name} is here, and every file is the one on record", file=sys.stderr)


@models.command()
def new(
    encoder: Annotated[
        str,
        typer.Option(
            help="Channel encoder: a repository on the hub such as facebook/dinov2-small or "
            "timm/resnet50.a1_in1k, or a folder with its files.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", show_default=False, help="Model folder to write.")],
    text: Annotated[
        str,
        typer.Option(
            help="Text tower: small (with the bundled vocabulary, untrained), or a BERT with its weights, "
            "such as google-bert/bert-base-cased or a folder."
        ),
    ] = "small",
    layers: Annotated[int, typer.Option(min=1, help="Blocks of the image tower; the paper has 12.")] = 4,
    embed_dim: Annotated[int, typer.Option(min=1, help="Length of the shared embedding.")] = 512,
    revision: Annotated[
        str, typer.Option(help="Commit, tag or branch of the encoder's repository; its commit is kept.")
    ] = "main",
    accept_licence: AcceptOption = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random weights.")] = 0,
) -> None:
    """Start a model whose head knows nothing yet.

    A published channel encoder and a head of random weights. Encode plates with it, then train its head
    on them; only then does it know any words.

    Example: napari-cellclip models new --encoder facebook/dinov2-small --out my-model
    """
    from napari_cellclip.model.new_models import new_model
    from napari_cellclip.model.weights.published_files import published_files

    source = published_files(encoder, revision=revision)
    if source.repo:
        ask_licence(source.as_card(), accept_licence)
    made = new_model(
        source,
        out,
        text=text,
        layers=layers,
        embed_dim=embed_dim,
        seed=seed,
        accept_licence=accept_licence or bool(source.repo),
    )
    print(f"{made.title}: {made.encoder.dim} numbers a stain, its head is untrained", file=sys.stderr)
    print(out)


def facts(card: ModelCard, folder: Path | None) -> dict[str, Any]:
    """Return what ``models --json`` prints of one model."""
    from napari_cellclip.model.weights.hub import needed
    from napari_cellclip.model.weights.hub_notes import is_accepted

    files = needed(card)
    size = sum(one.file.size for one in files)
    if folder is not None:
        size += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "name": card.name,
        "title": card.title,
        "simulated": card.simulated,
        "encoder": card.encoder.name,
        "licence": card.licence,
        "licence_accepted": is_accepted(card),
        "bytes": size,
        "where": str(folder) if folder is not None else "huggingface.co",
        "here": all(one.here for one in files),
        "repositories": sorted({one.file.repo for one in files}),
    }


def ask_licence(card: ModelCard, accept_licence: bool) -> None:
    """Show a licence and ask for it, unless it was accepted before or just now by option.

    Raises
    ------
    ModelError
        If it is not accepted.
    """
    from napari_cellclip.model.weights.hub_notes import accept, is_accepted
    from napari_cellclip.vocabulary import ModelError

    if is_accepted(card):
        return
    print(f"Licence of {card.title or card.name}: {card.licence}\n{card.licence_text}", file=sys.stderr)
    if not accept_licence and not (sys.stdin.isatty() and typer.confirm("Do you accept it?", err=True)):
        raise ModelError(
            f"the licence of {card.name!r} was not accepted, so nothing was fetched: run this again and say "
            "yes, or pass --accept-licence"
        )
    accept(card)


def _known() -> list[tuple[ModelCard, Path | None]]:
    from napari_cellclip.model.registry import known_models

    return list(known_models().values())


def _lines(row: dict[str, Any]) -> str:
    from napari_cellclip.model.weights.hub import readable

    size = readable(row["bytes"])
    if row["where"] != "huggingface.co":
        state = f"{size}; {row['where']}" if row["bytes"] else f"written at its first use to {row['where']}"
    elif row["here"]:
        state = f"{size}; here, from huggingface.co"
    else:
        state = f"{size}; to fetch from huggingface.co"
    licence = row["licence"] + ("" if row["licence_accepted"] else ", not accepted yet")
    simulated = "  trained on simulations: it shows the program, not biology\n" if row["simulated"] else ""
    return (
        f"{row['name']}: {row['title'].removeprefix(row['name'] + ': ')}\n{simulated}"
        f"  licence {licence or 'not stated'}; encoder {row['encoder']}; {state}"
    )
