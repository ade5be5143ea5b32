"""The place that an archive lies in: a folder, or a bucket of an S3-compatible store.

Reading goes through `pyarrow.fs` for both. Writing knows two things that it does not: a file that
is on the disk for good before anything speaks of it, and one that is written only if there is none
of its name. Paths are relative to the archive, with `/` between their parts.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from fanzha.disk import make_folder, sync
from fanzha.domain.errors import SetupError

Place = str | Path
"""A folder, or `s3://bucket/prefix?endpoint_override=host:port&scheme=http&region=…`."""


class Storage:
    """Files of one archive; see `open_storage`."""

    is_definite = True
    """Whether what could not be written is known not to be there."""

    def __init__(self, name: str, system: pafs.FileSystem, root: str) -> None:
        self.name = name
        self._system = system
        self._root = root

    def open(self, path: str) -> pa.NativeFile:
        """Open a file for reading anywhere in it. Raises FileNotFoundError, OSError."""
        return self._system.open_input_file(self._at(path))

    def read(self, path: str) -> bytes:
        """Return a file's content. Raises FileNotFoundError, OSError."""
        with self._system.open_input_file(self._at(path)) as file:
            return bytes(file.read())

    def read_blocks(self, path: str, size: int = 2**20) -> Iterator[bytes]:
        """Yield a file's content in blocks. Raises FileNotFoundError, OSError."""
        with self._system.open_input_file(self._at(path)) as file:
            while block := file.read(size):
                yield bytes(block)

    def size(self, path: str) -> int | None:
        """Return a file's bytes, None where there is none."""
        info = self._system.get_file_info(self._at(path))
        return info.size if info.type == pafs.FileType.File else None

    def names(self, folder: str) -> list[str]:
        """Return the names of files and folders in a folder, sorted; empty without one."""
        return sorted(Path(info.path).name for info in self._infos(folder))

    def ages_s(self, folder: str, now_s: float) -> dict[str, float]:
        """Return names of a folder's files, and for how many seconds they are as they are."""
        return {
            Path(info.path).name: now_s - info.mtime.timestamp()
            for info in self._infos(folder)
            if info.type == pafs.FileType.File and info.mtime is not None
        }

    def _infos(self, folder: str) -> list[Any]:
        selector = pafs.FileSelector(self._at(folder), allow_not_found=True)
        return list(self._system.get_file_info(selector))

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self._system.delete_file(self._at(path))

    @contextmanager
    def writing(self, path: str) -> Iterator[Any]:
        """Give a sink for a file, which is there, and safe, when this ends well, and not before."""
        raise NotImplementedError

    def write(self, path: str, content: bytes) -> None:
        """Write a file, in the place of one of the same name. Raises OSError."""
        with self.writing(path) as sink:
            sink.write(content)

    def put_if_absent(self, path: str, content: bytes) -> bool:
        """Write a file unless there is one of its name; say whether it was written."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the place ready to be written. Raises OSError."""

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


class _Folder(Storage):
    """An archive in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), pafs.LocalFileSystem(), str(folder))
        self._folder = folder

    def prepare(self) -> None:
        make_folder(self._folder)

    @contextmanager
    def writing(self, path: str) -> Iterator[Any]:
        target = self._folder / path
        make_folder(target.parent)
        with _temporary(target) as file:
            yield file
            _to_disk(file)
            Path(file.name).rename(target)
        sync(target.parent)

    def put_if_absent(self, path: str, content: bytes) -> bool:
        target = self._folder / path
        make_folder(target.parent)
        with _temporary(target) as file:
            file.write(content)
            _to_disk(file)
            try:
                # Unlike a rename, a link never takes the place of a file that is there.
                os.link(file.name, target)
            except FileExistsError:
                return False
            finally:
                Path(file.name).unlink()
        sync(target.parent)
        return True


@contextmanager
def _temporary(target: Path) -> Iterator[BinaryIO]:
    """Give a new hidden file beside a target; it is removed when writing it fails."""
    path = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with path.open("xb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


class _Bucket(Storage):
    """An archive in a bucket; keys to it come from the environment, as AWS's tools read them."""

    is_definite = False

    def __init__(self, url: str) -> None:
        try:
            system, root = pafs.FileSystem.from_uri(url)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SetupError(
                f"{url!r} is no place of an archive ({error}); write "
                "s3://bucket/prefix?endpoint_override=host:port&scheme=https&region=…"
            ) from error
        super().__init__(url.partition("?")[0], system, root.rstrip("/"))
        self._options = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
        self._client_made: Any = None

    @contextmanager
    def writing(self, path: str) -> Iterator[Any]:
        # The object is there once the stream is closed; nothing is, when writing it fails.
        sink = self._system.open_output_stream(self._at(path))
        try:
            yield sink
        except BaseException:
            with suppress(Exception):
                sink.abort()
            raise
        sink.close()

    def put_if_absent(self, path: str, content: bytes) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes a while

        bucket, _, key = self._at(path).partition("/")
        try:
            self._client().put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
        except ClientError as error:
            # 409: another writer of the same name is under way; who was first is seen by reading.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                return False
            raise OSError(f"{self.name} refused {path}: {error}") from error
        except BotoCoreError as error:
            raise OSError(f"{self.name} did not take {path}: {error}") from error
        return True

    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        if self._client_made is None:
            import boto3  # noqa: PLC0415 - takes a while, and only S3 needs it
            from botocore.config import Config  # noqa: PLC0415

            endpoint = self._options.get("endpoint_override")
            scheme = self._options.get("scheme", "https")
            self._client_made = boto3.client(
                "s3",
                endpoint_url=f"{scheme}://{endpoint}" if endpoint else None,
                region_name=self._options.get("region"),
                config=Config(connect_timeout=10, read_timeout=60, retries={"max_attempts": 4}),
            )
        return self._client_made


def open_storage(place: Place) -> Storage:
    """Return the storage at a folder or an s3:// URL, without touching it.

    Raises:
        SetupError: the URL is none.
    """
    url = s3_url(place)
    return _Folder(Path(place)) if url is None else _Bucket(url)


def s3_url(place: Place) -> str | None:
    """Return the s3:// URL that a place is, None for a folder.

    A `Path` made of a URL has lost one of its slashes.
    """
    head, colon, rest = str(place).partition(":/")
    return f"s3://{rest.lstrip('/')}" if head == "s3" and colon else None
