"""Which proxy gRPC takes to which host; the rules were tried against gRPC itself (test_proxies of the integration)."""

import pytest

from loadgen.milvus.proxies import channel_options, find_proxy, is_loopback

PROXY = "http://proxy.test:3128"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:19530",
        "127.0.0.1:19530",
        "https://127.8.9.10",
        "tcp://LOCALHOST:1",
        "http://milvus.localhost:1",
        "http://[::1]:19530",
        "[::1]:19530",
        "http://[::ffff:127.0.0.1]:1",
        "http://0.0.0.0:1",
        "http://root:secret@localhost.:1",
    ],
)
def test_loopback_never_has_a_proxy_nor_pings_while_idle(address: str) -> None:
    assert channel_options(address) == {"grpc.enable_http_proxy": 0, "grpc.keepalive_permit_without_calls": 0}
    assert find_proxy(address, {"http_proxy": PROXY, "https_proxy": PROXY, "grpc_proxy": PROXY}) is None


@pytest.mark.parametrize(
    "address", ["http://milvus.test:19530", "10.1.2.3:1", "http://[2001:db8::1]:1", "http://[broken"]
)
def test_other_hosts_have_no_options(address: str) -> None:
    assert channel_options(address) == {}


@pytest.mark.parametrize("host", ["", "localhost.test", "127.0.0.1.test", "128.0.0.1", "notlocalhost"])
def test_a_name_that_only_looks_like_loopback_is_none(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "environment", "result"),
    [
        ("milvus.test", {}, None),
        ("milvus.test", {"http_proxy": PROXY}, "http_proxy"),
        ("milvus.test", {"https_proxy": PROXY}, "https_proxy"),
        ("milvus.test", {"grpc_proxy": PROXY, "http_proxy": "http://other.test:1"}, "grpc_proxy"),
        ("milvus.test", {"grpc_proxy": "", "http_proxy": PROXY}, None),
        ("milvus.test", {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "all_proxy": PROXY}, None),
        ("milvus.test", {"http_proxy": "socks5://proxy.test:1"}, None),
        ("milvus.test", {"http_proxy": "proxy.test:3128"}, None),
        ("milvus.test", {"http_proxy": PROXY, "no_proxy": "a.test, test"}, None),
        ("milvus.test", {"http_proxy": PROXY, "no_proxy": ".test"}, None),
        ("milvus.test", {"http_proxy": PROXY, "no_proxy": "*.test"}, "http_proxy"),
        ("milvus.test", {"http_proxy": PROXY, "no_proxy": "*"}, "http_proxy"),
        ("milvus.test", {"http_proxy": PROXY, "no_proxy": "vus.test"}, "http_proxy"),
        ("milvus.test", {"http_proxy": PROXY, "no_proxy": "milvus.test:19530"}, "http_proxy"),
        ("milvus.test", {"http_proxy": PROXY, "no_grpc_proxy": "MILVUS.TEST"}, None),
        ("milvus.test", {"http_proxy": PROXY, "no_grpc_proxy": "", "no_proxy": "test"}, "http_proxy"),
        ("10.1.2.3", {"http_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, None),
        ("10.1.2.3", {"http_proxy": PROXY, "no_proxy": "11.0.0.0/8"}, "http_proxy"),
    ],
)
def test_the_proxy_is_the_one_that_grpc_takes(host: str, environment: dict[str, str], result: str | None) -> None:
    assert find_proxy(f"http://{host}:19530", environment) == ((result, PROXY) if result else None)


def test_a_password_of_the_proxy_is_never_shown() -> None:
    given = {"http_proxy": "http://me:secret@proxy.test:3128"}
    assert find_proxy("http://milvus.test", given) == ("http_proxy", "http://***@proxy.test:3128")


def test_a_socket_in_the_file_system_has_no_proxy() -> None:
    assert find_proxy("unix:/tmp/milvus.sock", {"http_proxy": PROXY}) is None
