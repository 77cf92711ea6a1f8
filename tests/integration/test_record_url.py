"""The record in object storage: a real server of the S3 protocol, moto's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from loadgen.milvus.server import EmbeddedServer
from tests.integration.locust_command import SEARCHED, SMALL, Run, start_locust

BUCKET = "records"
SHORT = ("--concurrency", "1", "--rounds", "1", "--phase-seconds", "0.6", "--warmup-seconds", "0.1", "--headless")
KEYS = {"AWS_ACCESS_KEY_ID": "loadgen", "AWS_SECRET_ACCESS_KEY": "S3cretOfTheBucket", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def server() -> Iterator[ThreadedMotoServer]:
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    try:
        httpx.post(f"{address_of(started)}/moto-api/reset")  # all servers of a process share their state
        client_of(started).create_bucket(Bucket=BUCKET)
        yield started
    finally:
        started.stop()


def address_of(server: ThreadedMotoServer) -> str:
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def client_of(server: ThreadedMotoServer) -> Any:
    keys = {name.lower(): value for name, value in KEYS.items() if "KEY" in name}
    return boto3.client("s3", endpoint_url=address_of(server), region_name="us-east-1", **keys)


def names_in(server: ThreadedMotoServer) -> set[str]:
    return {one["Key"] for one in client_of(server).list_objects_v2(Bucket=BUCKET).get("Contents", ())}


def start(folder: Path, milvus: str, server: str, *flags: str, **variables: str) -> Run:
    url = ("--record-url", f"s3://{BUCKET}/nightly")
    given = {"AWS_ENDPOINT_URL": server, "AWS_EC2_METADATA_DISABLED": "true"} | KEYS | variables
    files = ("--host", milvus, "--collection", SEARCHED, *SMALL, "--record", "kept", *url)
    return start_locust(folder, *files, *SHORT, *flags, **given)


def test_record_and_report_are_stored_as_they_are_kept(
    milvus: EmbeddedServer, server: ThreadedMotoServer, tmp_path: Path
) -> None:
    run = start(tmp_path, milvus.uri, address_of(server), "--report", "markdown").finish()
    run.assert_good()
    [path] = (tmp_path / "kept").glob("*.json")
    assert names_in(server) == {f"nightly/{path.name}", f"nightly/{path.stem}.md"}
    stored = client_of(server).get_object(Bucket=BUCKET, Key=f"nightly/{path.name}")["Body"].read()
    assert stored == path.read_bytes()
    assert f"Stored: s3://{BUCKET}/nightly/{path.name}" in run.out
    settings = json.loads(stored)["manifest"]["settings"]
    assert settings["record_url"] == f"s3://{BUCKET}/nightly"
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in run.out + run.err + stored.decode()


NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (("--record-url", "s3://no-such-bucket/x"), {}),
        ((), NO_KEYS),
        ((), {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}),
    ],
    ids=["no bucket", "no credentials", "no server"],
)
def test_what_cannot_be_stored_is_refused_before_any_load(
    flags: tuple[str, ...], variables: dict[str, str], server: ThreadedMotoServer, tmp_path: Path
) -> None:
    run = start(tmp_path, "http://127.0.0.1:1", address_of(server), *flags, **variables).finish()
    run.assert_good(2)
    assert "--record-url s3://" in run.err
    assert "cannot be written to" in run.err
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in run.out + run.err
    assert not list((tmp_path / "kept").glob("*.json"))
    assert names_in(server) == set()


def test_a_store_that_ends_during_the_run_costs_the_exit_code_and_not_the_record(
    milvus: EmbeddedServer, server: ThreadedMotoServer, tmp_path: Path
) -> None:
    run = start(tmp_path, milvus.uri, address_of(server), "--phase-seconds", "3")
    assert run.process.stderr is not None
    seen = []
    for line in run.process.stderr:
        seen.append(line)
        if "Phase 1 of 4" in line:
            break
    server.stop()
    run.finish()
    assert run.code == 1, "".join(seen) + run.out + run.err
    assert (run.out + run.err).count("It is tried again") == 1
    [path] = (tmp_path / "kept").glob("*.json")
    record = json.loads(path.read_text())
    assert (len(record["phases"]), record["incomplete"]) == (4, "")
    assert f"Exit code 1: {path.name} cannot be stored in s3://{BUCKET}/nightly: " in run.out
