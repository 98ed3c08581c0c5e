"""One object store or web server, read through fsspec: lists, and files of which no size is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO

from napari_cellclip.plates.remote.stores.addresses import Address
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.plates.remote.stores.retries import again
from napari_cellclip.vocabulary import PlateError

GALLERY_BUCKET = "cellpainting-gallery"
"""Bucket of the Cell Painting Gallery, which anybody may read without an account."""

MAX_FILE_BYTES = 2**31
"""Largest file that is fetched: a plane of the largest size has a quarter of that."""

MAX_LISTED = 500_000
"""Most files that are listed below one address: a plate of 384 wells has some 30,000."""

BLOCK = 2**23
"""Bytes asked for at once, and lost at most when a connection breaks."""

CONNECT_SECONDS = 10
READ_SECONDS = 60

_EXTRA = "install it with: pip install 'napari-cellclip[remote]'"


class RemoteStore:
    """A store, for reading only.

    Parameters
    ----------
    address : Address
        Any address in the store. Buckets of the Cell Painting Gallery are read without credentials, others
        with those that the store's own clients find, and without where there are none.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._anonymous = address.protocol == "s3" and address.place.split("/")[0] == GALLERY_BUCKET

    def __reduce__(self) -> tuple[Any, ...]:
        """Hand on the address: each process has connections of its own."""
        return RemoteStore, (self.address,)

    @cached_property
    def _fs(self) -> Any:
        return self._opened(self._anonymous)

    def _opened(self, anonymous: bool) -> Any:
        protocol = self.address.protocol
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        try:
            import fsspec

            if protocol == "s3":
                # One policy of trying again, in `retries`, and not three upon one another.
                config = {
                    "retries": {"total_max_attempts": 1},
                    "connect_timeout": CONNECT_SECONDS,
                    "read_timeout": READ_SECONDS,
                    "max_pool_connections": 32,
                }
                fs = fsspec.filesystem("s3", anon=anonymous, config_kwargs=config, **options)
                fs.retries = 1
                return fs
            if self.address.is_web:
                import aiohttp

                timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
                options["client_kwargs"] = {"timeout": timeout, "headers": {"Accept-Encoding": "identity"}}
            return fsspec.filesystem(protocol, **options)
        except ImportError as error:
            raise PlateError(
                f"{self.address} needs a package that is not here ({error}): {_EXTRA}"
            ) from error

    def folders(self, prefix: str) -> list[str]:
        """List the names of the folders directly below a prefix."""
        names = []
        for page in self._pages(prefix.rstrip("/") + "/", delimiter="/"):
            names += [p["Prefix"].rstrip("/").rsplit("/", 1)[-1] for p in page.get("CommonPrefixes") or ()]
        return sorted(names)

    def files(self, prefix: str, *, deep: bool = True) -> Iterator[RemoteFile]:
        """List the files below a prefix (a folder, with a slash at its end, or the beginning of keys).

        Raises
        ------
        PlateError
            If there are more than `MAX_LISTED`, or the store cannot be listed.
        """
        count = 0
        for page in self._pages(prefix, delimiter="" if deep else "/"):
            for entry in page.get("Contents") or ():
                if entry["Key"].endswith("/"):
                    continue
                count += 1
                if count > MAX_LISTED:
                    raise PlateError(
                        f"{self.address} holds more than {MAX_LISTED:,} files: open the folder of one plate"
                    )
                yield entry["file"]

    def _pages(self, prefix: str, delimiter: str) -> Iterator[dict[str, Any]]:
        if self.address.is_web:
            raise PlateError(
                f"{self.address} is on a web server, which lists no folders: only OME-Zarr plates "
                "can be opened there"
            )
        if self.address.protocol != "s3":
            yield self._found(prefix, delimiter)
            return
        bucket, _, key = prefix.partition("/")
        token: dict[str, str] = {}
        while True:
            asked = {
                "Bucket": bucket,
                "Prefix": key,
                **token,
                **({"Delimiter": delimiter} if delimiter else {}),
            }
            try:
                page: dict[str, Any] = again(
                    partial(self._s3, "list_objects_v2", asked), f"the list of s3://{prefix}"
                )
            except FileNotFoundError:
                raise PlateError(f"the bucket s3://{bucket} does not exist: check the address") from None
            for entry in page.get("Contents") or ():
                entry["file"] = RemoteFile.of_s3(f"{bucket}/{entry['Key']}", entry)
            yield page
            if not page.get("IsTruncated") or not page.get("NextContinuationToken"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _found(self, prefix: str, delimiter: str) -> dict[str, Any]:
        """List other stores than S3 as S3 does, in one page."""
        depth = {"maxdepth": 1} if delimiter else {}
        found = again(
            lambda: self._fs.find(prefix, detail=True, withdirs=bool(delimiter), **depth),
            f"the list of {self.address.protocol}://{prefix}",
        )
        page: dict[str, Any] = {"Contents": [], "CommonPrefixes": []}
        for key, info in found.items():
            if info.get("type") == "directory":
                page["CommonPrefixes"].append({"Prefix": f"{key}/"})
            else:
                page["Contents"].append({"Key": key, "file": RemoteFile.of_info(key, info)})
        return page

    def _s3(self, method: str, asked: dict[str, Any]) -> Any:
        """Ask S3; where the computer has no credentials, without any."""
        try:
            return self._fs.call_s3(method, **asked)
        except Exception as error:  # botocore's class is not worth a dependency on it
            if type(error).__name__ != "NoCredentialsError" or self._anonymous:
                raise
            self._anonymous = True
            self.__dict__["_fs"] = self._opened(anonymous=True)
            return self._fs.call_s3(method, **asked)

    def describe(self, key: str) -> RemoteFile:
        """Ask for the size and mark of one file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        PlateError
            If it cannot be asked for.
        """
        if self.address.protocol == "s3":
            bucket, _, name = key.partition("/")
            head = again(lambda: self._s3("head_object", {"Bucket": bucket, "Key": name}), f"s3://{key}")
            return RemoteFile.of_s3(key, head)
        what = f"{self.address.protocol}://{key}"
        if self.address.is_web:
            return again(lambda: self._head(key), what)
        return RemoteFile.of_info(key, again(lambda: self._fs.info(key), what))

    def _head(self, key: str) -> RemoteFile:
        """Ask for the headers of a file; not by HEAD, any fault of which fsspec takes for absence."""
        with self._fs.open(f"{self.address.protocol}://{key}", "rb", block_size=0, size=1) as answer:
            return RemoteFile.of_headers(key, answer.r.headers)

    def fetch(self, file: RemoteFile, part: Path) -> RemoteFile:
        """Fetch a file, going on where `part` ends; whole or not at all, and checked.

        Parameters
        ----------
        file : RemoteFile
            As listed. Of a web server only the key counts: the rest is found when it is fetched.
        part : Path
            Where it is written; bytes that are there already are of this file.

        Returns
        -------
        RemoteFile
            As fetched.

        Raises
        ------
        FileNotFoundError
            If the store has no such file.
        PlateError
            If it cannot be fetched whole, or is larger than files of a plate are.
        """
        what = f"{self.address.protocol}://{file.key}"
        if file.size > MAX_FILE_BYTES:
            raise PlateError(
                f"{what} has {file.size:,} bytes, more than a file of a plate: it was not fetched"
            )
        if self.address.is_web:
            return again(lambda: self._stream(file.key, part, what), what)
        written = lambda: part.stat().st_size if part.exists() else 0  # noqa: E731
        again(lambda: self._blocks(file, part), what, progress=written)
        digest = _md5(file.etag)
        if digest and (first := _digest(part)) != digest:
            # Stores that encrypt with keys of their own have other marks: a copy that agrees is believed.
            part.unlink()
            again(lambda: self._blocks(file, part), what, progress=written)
            if _digest(part) not in (digest, first):
                part.unlink()
                raise PlateError(f"{what} was damaged on its way, twice: try again later")
        return file

    def _blocks(self, file: RemoteFile, part: Path) -> None:
        """Fetch what is missing of a file, block by block."""
        with part.open("ab") as stream:
            at = stream.tell()
            if at > file.size:
                stream.truncate(0)
                at = 0
            while at < file.size:
                end = min(at + BLOCK, file.size)
                content = self._fs.cat_file(file.key, start=at, end=end)
                if len(content) > end - at:
                    raise OSError(f"{len(content)} bytes came where {end - at} were asked for")
                stream.write(content)
                stream.flush()
                at += len(content)
                if not content:
                    raise OSError("the answer was empty")

    def _stream(self, key: str, part: Path, what: str) -> RemoteFile:
        """Fetch a file from a web server, which may say nothing true of its size."""
        url = f"{self.address.protocol}://{key}"
        with self._fs.open(url, "rb", block_size=0, size=1) as answer, part.open("wb") as stream:
            stated = RemoteFile.of_headers(key, answer.r.headers)
            if stated.size > MAX_FILE_BYTES:
                raise PlateError(
                    f"{what} has {stated.size:,} bytes, more than a file of a plate: it was not fetched"
                )
            size = _copied(answer, stream, what)
        if stated.size not in (-1, size):
            raise OSError(f"{size} bytes came of {stated.size}")
        return replace(stated, size=size)


def _copied(answer: Any, stream: BinaryIO, what: str) -> int:
    size = 0
    while content := answer.read(BLOCK):
        size += len(content)
        if size > MAX_FILE_BYTES:
            raise PlateError(f"{what} does not end after {MAX_FILE_BYTES:,} bytes: it is no file of a plate")
        stream.write(content)
    return size


def _md5(etag: str) -> str:
    """MD5 in an ETag; empty where it is none (files that were uploaded in parts)."""
    return etag.lower() if len(etag) == 32 and all(c in "0123456789abcdefABCDEF" for c in etag) else ""


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
