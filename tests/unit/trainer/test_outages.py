"""A store that is away is tried again; a file that is missing or wrong is not."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import aiohttp
import boto3
import botocore.exceptions
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
import s3fs
from moto.server import ThreadedMotoServer

from trainingrun.contract.exits import Exit
from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import DataError, Failure, InvalidConfiguration


def busy(status: int) -> Exception:
    answer = {"Error": {"Code": "Busy"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(answer, "GetObject")


OUTAGES = [
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    TimeoutError("read timed out"),
    OSError(errno.EBUSY, "Please reduce your request rate."),  # what s3fs makes of SlowDown
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ESTALE, "Stale file handle"),
    OSError(errno.ENETUNREACH, "Network is unreachable"),
    busy(503),
    busy(429),
    botocore.exceptions.EndpointConnectionError(endpoint_url="http://store"),
    aiohttp.ClientPayloadError("Response payload is not completed"),
    aiohttp.ServerDisconnectedError(),
]
WRONG = [
    FileNotFoundError(errno.ENOENT, "No such file or directory"),
    PermissionError(errno.EACCES, "Permission denied"),
    OSError("Couldn't deserialize thrift: TProtocolException: Invalid data"),
    OSError(errno.ENOSPC, "No space left on device"),
    pa.ArrowInvalid("Parquet magic bytes not found in footer"),
    busy(403),
    busy(404),
]


def wrapped(kind: type[Exception], cause: Exception) -> Exception:
    """As a format raises it."""
    try:
        try:
            raise cause
        except Exception as error:
            raise kind("s3://bucket/a.parquet: cannot be read") from error
    except Exception as error:
        return error


def from_a_data_task(error: Exception) -> BaseException:
    """As a trainer sees it after Ray has carried it, as bytes."""
    carried: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301
    return ray.exceptions.RayTaskError("read", "Traceback ...", carried).as_instanceof_cause()


@pytest.mark.parametrize("cause", OUTAGES, ids=repr)
def test_an_outage_while_reading_is_tried_again(cause: Exception) -> None:
    expected = Failure(Exit.INFRASTRUCTURE, "s3://bucket/a.parquet: cannot be read")
    assert failure_of(wrapped(DataError, cause)) == expected
    assert failure_of(from_a_data_task(wrapped(DataError, cause))) == expected
    assert failure_of(wrapped(InvalidConfiguration, cause)) == expected


@pytest.mark.parametrize("cause", WRONG, ids=repr)
def test_what_is_missing_forbidden_or_torn_is_not(cause: Exception) -> None:
    assert failure_of(wrapped(DataError, cause)).exit is Exit.USER_ERROR
    assert failure_of(from_a_data_task(wrapped(DataError, cause))).exit is Exit.USER_ERROR
    assert failure_of(wrapped(InvalidConfiguration, cause)).exit is Exit.INVALID_CONFIG


def test_errors_that_were_dealt_with_do_not_count() -> None:
    try:
        try:
            raise ConnectionResetError("once, and then again with success")
        except ConnectionResetError:
            raise DataError("row 3 has another shape") from None
    except DataError as error:
        assert failure_of(error).exit is Exit.USER_ERROR


def test_a_store_that_goes_away_between_listing_and_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    pq.write_table(pa.table({"image": [1], "label": [2]}), tmp_path / "a.parquet")
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    client.upload_file(str(tmp_path / "a.parquet"), "bucket", "a.parquet")
    source = Source("spec.recipe.dataset.train", "Parquet", "s3://bucket/a.parquet")
    (piece,) = format_of(source).find(source).pieces
    client.delete_object(Bucket="bucket", Key="a.parquet")
    with pytest.raises(Exception) as missing:
        list(format_of(source).read(source, piece))
    assert failure_of(missing.value).exit is Exit.USER_ERROR
    server.stop()
    with pytest.raises(Exception) as away:
        list(format_of(source).read(source, piece))
    assert failure_of(away.value).exit is Exit.INFRASTRUCTURE
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(Exception) as not_listed:
        format_of(source).find(source)
    assert failure_of(not_listed.value).exit is Exit.INFRASTRUCTURE
    s3fs.S3FileSystem.clear_instance_cache()
