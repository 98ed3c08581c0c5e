"""The published door: licence, pinned commits, fetches that go on, and no network afterwards."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from packaging.version import Version
from safetensors.torch import save_file

from napari_cellclip.model import FileCard, load_model
from napari_cellclip.model.registry import published_card
from napari_cellclip.model.weights.hub import choose_revision, hub_file, needed, readable, verify
from napari_cellclip.model.weights.hub_client import stated_licence
from napari_cellclip.model.weights.hub_notes import is_accepted, pin, pinned
from napari_cellclip.vocabulary import ModelError
from tests.model.weights.stand_in_hub import StandInHub, serving

WEIGHTS, DINO, BERT = "suinleelab/CellCLIP", "facebook/dinov2-giant", "google-bert/bert-base-cased"
COMMITS = {WEIGHTS: "a" * 40, DINO: "b" * 40, BERT: "c" * 40}


@pytest.fixture
def small_published(monkeypatch):
    """The published card at the size of a toy, so that a toy is what its names lead to."""
    from napari_cellclip.model import registry

    real = published_card()
    branch = {"revision": "main", "sha256": "", "size": 0}
    small = real.model_copy(
        update={
            "embed_dim": 8,
            "tokenizer": real.tokenizer.model_copy(update=branch),
            "encoder": real.encoder.model_copy(
                update={"dim": 16, "weights": real.encoder.weights.model_copy(update=branch)}
            ),
            "tiling": real.tiling.model_copy(update={"size": 28}),
        }
    )
    monkeypatch.setattr(registry, "published_card", lambda: small)
    return small


@pytest.fixture
def hub_content(tmp_path, make_cellclip, tokenizer, dinov2) -> StandInHub:
    folder = tmp_path / "content"
    folder.mkdir()
    save_file(make_cellclip(text_width=64, text_heads=1).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"pooling": "attention", "vision_heads": 4}))
    tokenizer.save(folder)
    hub = StandInHub(licences={WEIGHTS: "cc-by-nc-nd-4.0"})
    hub.add(WEIGHTS, folder, COMMITS[WEIGHTS], "model.safetensors", "config.json")
    hub.add(BERT, folder, COMMITS[BERT], "vocab.txt", "tokenizer_config.json")
    hub.add(DINO, dinov2, COMMITS[DINO], "model.safetensors", "config.json")
    return hub


@pytest.fixture
def empty_caches(tmp_path, monkeypatch) -> Path:
    from huggingface_hub import constants, file_download

    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(file_download.time, "sleep", lambda _: None)
    return tmp_path / "hub"


@pytest.fixture
def hub(hub_content, empty_caches, monkeypatch):
    """A hub that is online: the rest of the session is not."""
    from huggingface_hub import constants, file_download

    with serving(hub_content) as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        for module in (constants, file_download):  # clients before 1.0 hold the name in both
            template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        set_offline(monkeypatch, False)
        yield served


def set_offline(monkeypatch, value: bool) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", value)
    forget_sessions()


def forget_sessions() -> None:
    """Clients before 1.0 look whether they are offline once, when a session begins."""
    import huggingface_hub.utils

    getattr(huggingface_hub.utils, "reset_sessions", lambda: None)()


@pytest.fixture(autouse=True)
def _sessions_of_this_test():
    yield  # set up before monkeypatch, and so torn down after it
    forget_sessions()


@pytest.mark.parametrize("name", ["cellclip", "cell_clip", "mil_cell_clip"])
def test_nothing_is_asked_of_the_hub_without_the_licence(name, hub):
    with pytest.raises(ModelError, match=r"1\.8 GB.*4\.5 GB.*CC-BY-NC-ND-4\.0.*accept_licence=True"):
        load_model(name, device="cpu")
    assert not hub.asked


def test_the_real_card_names_commits_and_hashes_it_can_vouch_for():
    card = published_card()
    for file in (card.encoder.weights, card.tokenizer):
        assert len(file.revision) == 40
        assert len(file.sha256) == 64
        assert file.size
    assert card.weights.revision == "main"  # not known: chosen at the first fetch
    assert readable(card.weights.size + card.encoder.weights.size) == "6.3 GB"


def test_accepted_once_fetched_once_and_offline_afterwards(hub, small_published, fields, monkeypatch):
    model = load_model("cellclip", accept_licence=True, device="cpu")
    assert sorted(path.split("/", 3)[3] for path in hub.transfers()) == sorted(
        f"resolve/{commit}/{file}"
        for repo, commit in COMMITS.items()
        for file in {name for at, name in hub.files if at == repo}
    )  # each file once, by its commit; no weights of BERT
    assert model.card.weights.revision == COMMITS[WEIGHTS]
    assert model.card.encoder.weights.revision == COMMITS[DINO]
    assert model.card.heads == 4  # from config.json: shapes do not tell it
    assert is_accepted(small_published)
    set_offline(monkeypatch, True)
    hub.asked.clear()
    again = load_model("mil_cell_clip", device="cpu")
    assert again.card == model.card
    assert not hub.asked
    features = again.fields_features(fields)
    assert features.shape == (3, 5, 16)
    np.testing.assert_array_equal(again.embed_wells([features]), model.embed_wells([features]))


def test_a_changed_licence_text_asks_again(hub, small_published, monkeypatch):
    from napari_cellclip.model import registry

    load_model("cellclip", accept_licence=True, device="cpu")
    load_model("cellclip", device="cpu")
    other = small_published.model_copy(update={"licence_text": small_published.licence_text + " And more."})
    monkeypatch.setattr(registry, "published_card", lambda: other)
    with pytest.raises(ModelError, match="And more"):
        load_model("cellclip", device="cpu")
    load_model("cellclip", accept_licence=True, device="cpu")


def test_main_means_the_commit_of_the_first_fetch(hub, small_published, make_cellclip, tmp_path):
    first = load_model("cellclip", accept_licence=True, device="cpu").card
    newer = tmp_path / "newer"
    newer.mkdir()
    save_file(make_cellclip(seed=3, text_width=64, text_heads=1).state_dict(), newer / "model.safetensors")
    hub.add(WEIGHTS, newer, "d" * 40, "model.safetensors")
    assert load_model("cellclip", device="cpu").card == first
    moved = load_model("cellclip", revision="main", device="cpu").card
    assert moved.weights.revision == "d" * 40
    assert moved.card_hash != first.card_hash
    assert load_model("cellclip", device="cpu").card == moved
    assert load_model("cellclip", revision=COMMITS[WEIGHTS], device="cpu").card == first


@pytest.fixture
def large(hub, monkeypatch) -> FileCard:
    """A file that breaks off after two thirds of it."""
    from huggingface_hub import constants

    hub.files[WEIGHTS, "large.bin"] = bytes(
        np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8)
    )
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
    hub.cut_after = 200_000
    return FileCard(repo=WEIGHTS, file="large.bin", revision="main")


def fetched_from(hub) -> list[int]:
    """First byte of each request for a file's content."""
    ranges = [wanted for method, _, wanted in hub.asked if method == "GET"]
    return [int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0 for wanted in ranges]


@pytest.mark.skipif(
    Version(version("huggingface-hub")) < Version("1.0"),
    reason="clients before 1.0 give up when an answer breaks off; the next fetch goes on, as the next test holds",
)
def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub, large, empty_caches):
    hub.down_after_cut = False
    path, found = hub_file(large)
    assert path.read_bytes() == hub.files[WEIGHTS, "large.bin"]
    assert path.is_relative_to(empty_caches)
    first, second = fetched_from(hub)
    assert (first, 0 < second <= 200_000) == (0, True)
    assert verify(path, found).sha256 == hub.etag(path.read_bytes())


def test_a_fetch_that_failed_leaves_no_file_and_works_later(hub, large, empty_caches):
    with pytest.raises(ModelError, match=r"could not be fetched .*check the connection and try again"):
        hub_file(large)
    left = [path for path in empty_caches.rglob("*") if path.is_file() and path.stat().st_size > 1000]
    assert {path.suffix for path in left} <= {
        ".incomplete"
    }  # kept by clients before 2.0, which go on with it
    first = sum(path.stat().st_size for path in left)
    hub.down = False
    hub.asked.clear()
    path, _ = hub_file(large)
    assert path.read_bytes() == hub.files[WEIGHTS, "large.bin"]
    assert fetched_from(hub) == [first]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer_config.json"])
def test_bytes_that_are_not_what_the_hub_said_are_thrown_away(hub, small_published, name, empty_caches):
    repo = WEIGHTS if name == "model.safetensors" else BERT
    hub.lie_about.add((repo, name))
    with pytest.raises(ModelError, match=f"{name} of {repo} arrived damaged"):
        load_model("cellclip", accept_licence=True, device="cpu")
    hub.lie_about.clear()
    load_model("cellclip", device="cpu")


def test_bytes_that_changed_in_the_cache_are_refused(hub, small_published, fields, empty_caches):
    load_model("cellclip", accept_licence=True, device="cpu")
    (dino,) = empty_caches.glob("models--facebook--dinov2-giant/snapshots/*/model.safetensors")
    blob = dino.resolve()
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    model = load_model("cellclip", device="cpu")
    assert np.isfinite(model.embed_texts(["nocodazole"])).all()  # words need no encoder
    with pytest.raises(ModelError, match="is not the file its model card describes"):
        model.fields_features(fields)


def test_another_file_than_the_card_vouches_for_is_refused(hub, small_published, monkeypatch):
    from napari_cellclip.model import registry

    vouched = small_published.weights.model_copy(update={"sha256": "0" * 64})
    monkeypatch.setattr(
        registry, "published_card", lambda: small_published.model_copy(update={"weights": vouched})
    )
    with pytest.raises(ModelError, match="on the hub is not the file on record"):
        load_model("cellclip", accept_licence=True, device="cpu")
    assert not hub.transfers()


def test_files_that_another_program_fetched_are_used_and_pinned(
    hub_content, empty_caches, small_published, monkeypatch
):
    """The hub's cache layout as any of its clients leaves it, without a note of ours."""
    for (repo, name), content in hub_content.files.items():
        folder = empty_caches / f"models--{repo.replace('/', '--')}"
        place = folder / "snapshots" / COMMITS[repo] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(COMMITS[repo])
    with pytest.raises(ModelError, match="not accepted yet"):
        load_model("cellclip", device="cpu")
    model = load_model("cellclip", accept_licence=True, device="cpu")
    assert model.card.weights.revision == COMMITS[WEIGHTS]
    assert len(model.card.weights.sha256) == 64
    (empty_caches / "models--suinleelab--CellCLIP" / "refs" / "main").write_text("e" * 40)
    assert load_model("cellclip", device="cpu").card == model.card
    assert all(one.here for one in needed(small_published))


def test_paths_of_ones_own_need_no_licence_and_no_hub(tmp_path, hub_content, dinov2, tokenizer, fields):
    (tmp_path / "model.safetensors").write_bytes(hub_content.files[WEIGHTS, "model.safetensors"])
    (tmp_path / "config.json").write_bytes(hub_content.files[WEIGHTS, "config.json"])
    tokenizer.save(tmp_path / "words")
    model = load_model(tmp_path, encoder=dinov2, tokenizer=tmp_path / "words", device="cpu")
    assert model.card.heads == 4
    assert model.fields_features(fields).shape[:2] == (3, 5)


def test_offline_is_told_in_words(empty_caches):
    """The test session is offline, so this asks the real client and gets nowhere."""
    with pytest.raises(ModelError, match=r"could not be fetched \(HF_HUB_OFFLINE is set\): unset it"):
        load_model("cellclip", accept_licence=True, device="cpu")


def test_sizes_are_those_of_the_hub_where_it_can_be_asked(hub, small_published, monkeypatch):
    online = needed(small_published, ask_hub=True)
    assert [one.here for one in online] == [False] * 6
    sizes = {(one.file.repo, one.file.file): one.file.size for one in online}
    assert sizes == {key: len(content) for key, content in hub.files.items()}
    assert {one.file.revision for one in online} == set(COMMITS.values())
    set_offline(monkeypatch, True)
    assert [one.file.size for one in needed(published_card(), ask_hub=True)][::2] == [
        1_799_522_824,
        4_546_005_432,
        213_450,
    ]


def test_what_a_page_states(hub, monkeypatch):
    assert stated_licence(WEIGHTS) == "cc-by-nc-nd-4.0"
    assert stated_licence(BERT) == ""
    hub.down = True
    assert stated_licence(WEIGHTS) == ""


def test_names_the_hub_does_not_know(hub):
    with pytest.raises(ModelError, match=r"no repository nobody/nothing, or asks to log in"):
        hub_file(FileCard(repo="nobody/nothing", file="model.safetensors", revision="main"))
    with pytest.raises(ModelError, match=r"has no file absent\.txt at main"):
        hub_file(FileCard(repo=BERT, file="absent.txt", revision="main"))


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/../../b", "..\\secret", ""])
def test_cards_cannot_name_files_outside_a_repository(name, hub):
    with pytest.raises(ModelError, match="is no file of a repository"):
        hub_file(FileCard(repo=BERT, file=name, revision="main"))
    assert not hub.asked


def test_a_card_without_a_licence_is_asked_about_all_the_same(hub, tiny_folder):
    from napari_cellclip.model.card import read_card

    card = read_card(tiny_folder)
    sly = card.model_copy(
        update={"weights": FileCard(repo=WEIGHTS, file="model.safetensors", revision="main")}
    )
    assert not sly.licence_text
    (tiny_folder / "card.json").write_text(sly.to_json())
    with pytest.raises(ModelError, match="not accepted yet"):
        load_model(tiny_folder, device="cpu")
    assert not hub.asked


def test_models_in_folders_have_no_revisions(tiny_folder):
    with pytest.raises(ModelError, match="only models of the hub have revisions"):
        choose_revision(load_model(tiny_folder, device="cpu").card.weights, "main")


def test_notes_of_a_damaged_or_read_only_cache_folder_do_no_harm(tmp_path, monkeypatch, small_published):
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    for name in ("hub.json", "licences.json"):
        (tmp_path / "cache" / name).write_text("[not json")
    assert not is_accepted(small_published)
    file = FileCard(repo=BERT, file="vocab.txt", revision="main")
    pin(file, file.model_copy(update={"revision": "f" * 40, "sha256": "1" * 64}))
    assert json.loads((tmp_path / "cache" / "hub.json").read_text())[f"{BERT}@main"]["commit"] == "f" * 40
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder should be")
    pin(file, file.model_copy(update={"revision": "f" * 40}))


@pytest.mark.parametrize(
    "noted",
    [
        "[]",
        '{"google-bert/bert-base-cased@main": 3}',
        '{"google-bert/bert-base-cased@main": {"files": [], "commit": 7}}',
        '{"google-bert/bert-base-cased@main": {"files": {"vocab.txt": {"size": "big", "sha256": 1}}}}',
    ],
)
def test_an_edited_note_of_commits_counts_as_none(tmp_path, monkeypatch, noted) -> None:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    (tmp_path / "hub.json").write_text(noted)
    asked = FileCard(repo="google-bert/bert-base-cased", file="vocab.txt", revision="main")
    assert pinned(asked) == asked
