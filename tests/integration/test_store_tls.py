"""TLS towards a real standalone: the right certificates work, a wrong one is reported immediately."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from loadgen.clients import find_layer
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.store import aclose_stores, check_server, close_stores, open_stores, to_query, warm_stores
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from tests.integration.locust_command import SMALL, run_locust
from tests.integration.store_support import prepare_for, settings_for
from tests.integration.tls_support import MUTUAL, NAME, ONE_WAY, Certificates, make_certificates, tls_milvus

ROWS = 300


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def ports(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, int]]:
    """Of the two servers, by their kind of TLS."""
    with ExitStack() as stack:
        yield {
            mode: stack.enter_context(tls_milvus(tmp_path_factory.mktemp("tls"), mode, certificates))
            for mode in (ONE_WAY, MUTUAL)
        }


@pytest.fixture
def one_way(ports: dict[int, int]) -> str:
    """The address of the server that shows a certificate for its address."""
    return f"127.0.0.1:{ports[ONE_WAY]}"


@pytest.fixture
def mutual(ports: dict[int, int]) -> str:
    """The address of the server that wants one from its clients as well; its own is for a name."""
    return f"127.0.0.1:{ports[MUTUAL]}"


@pytest.fixture
def trio(certificates: Certificates) -> dict[str, str]:
    """What mutual TLS needs."""
    return {
        "ca_file": certificates.authority.cert,
        "client_cert_file": certificates.client.cert,
        "client_key_file": certificates.client.key,
    }


def fault_of(**given: Any) -> Fault:
    started = perf_counter()
    with pytest.raises(SettingsError) as caught:
        check_server(Settings.parse(given))
    assert perf_counter() - started < 10
    (fault,) = caught.value.faults
    assert (fault.setting, fault.value) == ("host", given["host"])
    return fault


def settings_of(uri: str, collection: str, **given: Any) -> Settings:
    return settings_for(uri, collection, rows=ROWS, **given)


def found_by_both(settings: Settings) -> list[list[str]]:
    """The ids that a blocking and an async search for row 7 find, best first."""
    row = open_dataset(settings).rows(7, 8)[0]
    query = to_query(np.array(row.vector, dtype=np.float32), settings)
    stores = open_stores(settings, Mode.SYNC)
    try:
        result = [stores[0].query(query).ids or []]
    finally:
        close_stores(stores)

    async def ask() -> list[str]:
        stores = open_stores(settings, Mode.ASYNC)
        await warm_stores(stores)
        try:
            return (await stores[0].aquery(query)).ids or []
        finally:
            await aclose_stores(stores)

    return [*result, asyncio.run(ask())]


def found_by_wire(settings: Settings) -> list[list[str]]:
    """What the wire client finds in both modes."""
    connector = find_layer("wire").connector
    query = connector.make_query([np.array(open_dataset(settings).rows(7, 8)[0].vector, dtype=np.float32)], settings)
    stores = connector.open(settings, Mode.SYNC)
    connector.warm(stores)
    result = connector.ask(stores[0], [query])
    connector.close(stores)

    async def ask() -> None:
        stores = connector.open(settings, Mode.ASYNC)
        await connector.awarm(stores)
        result.extend(await connector.aask(stores[0], [query]))
        await connector.aclose(stores)

    asyncio.run(ask())
    return [list(one.ids) for one in result]


def assert_works(settings: Settings) -> None:
    prepared = prepare_for(settings)
    assert (prepared.rows, prepared.server.kind) == (ROWS, "milvus")
    sync, asynchronous = found_by_both(settings)
    assert sync == asynchronous
    assert len(sync) == settings.top_k
    assert sync[0] == open_dataset(settings).rows(7, 8)[0].row_id
    assert found_by_wire(settings) == [sync, sync]


def test_the_servers_certificate_is_enough_one_way(one_way: str, certificates: Certificates) -> None:
    assert_works(settings_of(f"https://{one_way}", "tls_store", server_cert_file=certificates.addressed.cert))


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_authoritys_certificate_alone_is_enough_one_way(
    one_way: str, certificates: Certificates, scheme: str
) -> None:
    assert_works(settings_of(f"{scheme}://{one_way}", "tls_store", ca_file=certificates.authority.cert))


@pytest.mark.parametrize("trusted", ["stranger", "named"])
def test_another_authority_is_not_trusted(one_way: str, certificates: Certificates, trusted: str) -> None:
    fault = fault_of(host=f"https://{one_way}", ca_file=asdict(certificates)[trusted]["cert"])
    assert "CERTIFICATE_VERIFY_FAILED" in fault.problem


def test_an_authority_alone_does_not_let_a_client_in_that_has_to_show_a_certificate(
    mutual: str, certificates: Certificates
) -> None:
    fault = fault_of(host=f"https://{mutual}", ca_file=certificates.authority.cert, server_name=NAME)
    assert "cannot be reached" in fault.problem


def test_the_servers_certificate_is_the_one_that_is_trusted_beside_its_authoritys(
    one_way: str, certificates: Certificates
) -> None:
    both = {"host": f"https://{one_way}", "ca_file": certificates.authority.cert}
    assert check_server(Settings.parse(both | {"server_cert_file": certificates.addressed.cert})).kind == "milvus"
    fault = fault_of(**both, server_cert_file=certificates.named.cert)
    assert "CERTIFICATE_VERIFY_FAILED" in fault.problem


def test_the_command_compares_over_one_way_tls_with_an_authority(
    one_way: str, certificates: Certificates, tmp_path: Path
) -> None:
    tls = ("--host", f"https://{one_way}", "--ca-file", certificates.authority.cert)
    phases = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0")
    run = run_locust(tmp_path, *tls, "--collection", "tls_one_way", *SMALL, *phases, timeout=280)
    run.assert_good()
    assert min(run.counted[f"{mode} search"] for mode in Mode) > 0


def test_its_authoritys_does_as_well_and_makes_even_a_plain_address_tls(
    one_way: str, certificates: Certificates
) -> None:
    assert_works(settings_of(f"http://{one_way}", "tls_store", server_cert_file=certificates.authority.cert))


def test_mutual_tls_with_a_certificate_for_another_name_than_the_address(mutual: str, trio: dict[str, str]) -> None:
    assert_works(settings_of(f"https://{mutual}", "tls_store", **trio, server_name=NAME))


def test_the_servers_certificate_beside_the_three_files_is_the_one_that_is_trusted(
    mutual: str, trio: dict[str, str], certificates: Certificates
) -> None:
    both = {"host": f"https://{mutual}", **trio, "server_name": NAME}
    assert check_server(Settings.parse(both | {"server_cert_file": certificates.named.cert})).kind == "milvus"
    fault = fault_of(**(both | {"server_cert_file": certificates.addressed.cert}))
    assert "CERTIFICATE_VERIFY_FAILED" in fault.problem


@pytest.mark.parametrize("trusted", ["", "stranger", "named"])
def test_a_server_that_cannot_be_trusted_is_a_fault_of_the_address(
    one_way: str, certificates: Certificates, trusted: str
) -> None:
    file = asdict(certificates)[trusted]["cert"] if trusted else ""
    fault = fault_of(host=f"https://{one_way}", server_cert_file=file)
    assert "CERTIFICATE_VERIFY_FAILED" in fault.problem
    assert "check the certificate files" in fault.hint


@pytest.mark.parametrize("token", ["", "root:Milvus"])
def test_a_certificate_for_another_name_is_no_fault_of_the_token(
    one_way: str, certificates: Certificates, token: str
) -> None:
    trusted = {"host": f"https://{one_way}", "server_cert_file": certificates.addressed.cert}
    fault = fault_of(**trusted, server_name="other.test", token=token)
    assert "Hostname Verification Check failed" in fault.problem
    assert "--server-name" in fault.hint


def test_an_address_that_is_not_in_the_certificate_wants_the_servers_name(mutual: str, trio: dict[str, str]) -> None:
    fault = fault_of(host=f"https://{mutual}", **trio)
    assert "Hostname Verification Check failed" in fault.problem
    assert "--server-name" in fault.hint


@pytest.mark.parametrize("plain", ["one_way", "mutual"])
def test_a_plain_address_of_a_server_with_tls_is_told_to_take_https(plain: str, request: pytest.FixtureRequest) -> None:
    fault = fault_of(host=f"http://{request.getfixturevalue(plain)}")
    assert "Socket closed" in fault.problem
    assert "https://" in fault.hint


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ({"client_cert_file": ("stranger", "cert"), "client_key_file": ("stranger", "key")}, "Unwrap failed"),
        ({"client_key_file": ("stranger", "key")}, "Failed to create security handshaker"),
        ({"ca_file": ("stranger", "cert")}, "CERTIFICATE_VERIFY_FAILED"),
        ({"ca_file": ("authority", "key")}, "Failed to create security handshaker"),
    ],
)
def test_one_wrong_file_of_mutual_tls_is_a_fault_of_the_address(
    mutual: str, trio: dict[str, str], certificates: Certificates, given: dict[str, tuple[str, str]], reported: str
) -> None:
    files = {name: asdict(certificates)[of][part] for name, (of, part) in given.items()}
    fault = fault_of(**({"host": f"https://{mutual}", "server_name": NAME} | trio | files))
    assert reported in fault.problem
    assert "check the certificate files" in fault.hint


def test_a_client_without_a_certificate_is_not_let_in(mutual: str, certificates: Certificates) -> None:
    one_way = {"server_cert_file": certificates.named.cert, "server_name": NAME}
    fault = fault_of(host=f"https://{mutual}", **one_way)
    assert "cannot be reached" in fault.problem
    assert "check the certificate files" in fault.hint


def test_the_command_compares_over_mutual_tls(mutual: str, trio: dict[str, str], tmp_path: Path) -> None:
    tls = ("--host", f"https://{mutual}", "--server-name", NAME, *_flags(trio))
    phases = ("--concurrency", "2", "--phase-seconds", "0.5", "--warmup-seconds", "0")
    run = run_locust(tmp_path, *tls, "--collection", "tls_command", *SMALL, *phases)
    run.assert_good()
    assert set(run.counted) == {"sync search", "async search"}
    assert min(run.counted.values()) > 0
    assert not any(run.reported["failures"].values())


def test_the_command_ends_without_a_traceback_on_a_wrong_certificate(
    mutual: str, trio: dict[str, str], certificates: Certificates, tmp_path: Path
) -> None:
    files = trio | {"ca_file": certificates.stranger.cert}
    run = run_locust(tmp_path, "--host", f"https://{mutual}", *_flags(files), *SMALL, timeout=30)
    assert run.code == 2
    assert f"--host https://{mutual}: cannot be reached" in run.err
    assert "Traceback" not in run.out + run.err


def _flags(files: dict[str, str]) -> list[str]:
    return [part for name, path in files.items() for part in (f"--{name.replace('_', '-')}", path)]
