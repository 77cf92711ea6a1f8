"""Real standalones that speak TLS on loopback, and the certificates for it, made by the `openssl` command."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from loadgen.milvus.server import standalone
from loadgen.milvus.server.ports import PORTS, reserve_ports

START_SECONDS = 60.0
NAME = "milvus.test"
"""What the certificate of the one server is for."""
ONE_WAY, MUTUAL = 1, 2
"""Milvus's `tlsMode`: the server shows a certificate, or both sides do."""
EXTENSIONS = "basicConstraints=critical,CA:{authority}\nsubjectAltName={names}\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM files."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Certificates:
    """One authority, and what it has signed. The `stranger` is an authority of its own, of which nobody knows."""

    authority: Pair
    addressed: Pair
    """The server's, for the address 127.0.0.1."""
    named: Pair
    """The server's, for `NAME` and no address."""
    client: Pair
    stranger: Pair


def make_certificates(folder: Path) -> Certificates:
    """Make all of them below `folder`; they are good for two days."""
    authority = _sign(folder, "authority", "DNS:authority.test")
    return Certificates(
        authority=authority,
        addressed=_sign(folder, "addressed", "IP:127.0.0.1", authority),
        named=_sign(folder, "named", f"DNS:{NAME}", authority),
        client=_sign(folder, "client", "DNS:client.test", authority),
        stranger=_sign(folder, "stranger", f"IP:127.0.0.1,DNS:{NAME}"),
    )


def _sign(folder: Path, name: str, names: str, signer: Pair | None = None) -> Pair:
    """A new key and a certificate for it, signed by `signer` or by itself."""
    pair = Pair(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(EXTENSIONS.format(authority=str(signer is None).upper(), names=names))
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", pair.key)
    _openssl("req", "-new", *key, "-subj", f"/CN={name}", "-out", str(request))
    by = ("-CA", signer.cert, "-CAkey", signer.key, "-CAcreateserial") if signer else ("-signkey", pair.key)
    finished = ("-days", "2", "-extfile", str(extensions), "-out", pair.cert)
    _openssl("x509", "-req", "-in", str(request), *by, *finished)
    return pair


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def tls_milvus(data: Path, mode: int, certificates: Certificates) -> Iterator[int]:
    """The port of a real standalone that speaks TLS only; the `MUTUAL` one has the certificate for the name."""
    with reserve_ports(0, len(PORTS)) as ports:
        numbers = dict(zip(PORTS, ports.numbers, strict=True))
        program, environment = standalone.prepare(data, numbers)
        server = certificates.named if mode == MUTUAL else certificates.addressed
        _write_tls(data / "configs" / "milvus.yaml", mode, server, certificates.authority)
        with (data / "server.log").open("wb") as log:
            command = [str(program), "run", "standalone"]
            process = subprocess.Popen(command, env=environment, cwd=data, stdout=log, stderr=log)
        try:
            _await_answer(numbers["proxy"], mode, process, certificates)
            yield numbers["proxy"]
        finally:
            process.kill()
            process.wait()


def _write_tls(config: Path, mode: int, server: Pair, authority: Pair) -> None:
    text = config.read_text()
    changes = {
        "tlsMode: 0": f"tlsMode: {mode}",
        "serverPemPath: server.pem": f"serverPemPath: {server.cert}",
        "serverKeyPath: server.key": f"serverKeyPath: {server.key}",
        "caPemPath:  ca.pem": f"caPemPath: {authority.cert}",
    }
    for before, after in changes.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    config.write_text(text)


def _await_answer(port: int, mode: int, process: "subprocess.Popen[bytes]", certificates: Certificates) -> None:
    """Ask over gRPC itself, so that a fault in our own way to TLS is no reason to wait here."""
    client, authority = certificates.client, certificates.authority
    parts = [Path(path).read_bytes() for path in (authority.cert, client.key, client.cert)]
    options: tuple[tuple[str, Any], ...] = (
        ("grpc.max_reconnect_backoff_ms", 300),
        ("grpc.initial_reconnect_backoff_ms", 100),
    )
    if mode == MUTUAL:
        options += (("grpc.ssl_target_name_override", NAME),)
    end = time.perf_counter() + START_SECONDS
    with grpc.secure_channel(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(*parts), options) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        while True:
            assert process.poll() is None, "the server with TLS has ended"
            with contextlib.suppress(grpc.RpcError):
                if stub.CheckHealth(milvus_pb2.CheckHealthRequest(), timeout=2).isHealthy:
                    return
            assert time.perf_counter() < end, "the server with TLS does not answer"
            time.sleep(0.2)
