"""A password in an address is split off, addresses are compared, and a credential is for one address only."""

import pytest
from pydantic import BaseModel, Field, SecretStr

from loadgen.settings.addresses import find_flaw, identify, split_secret
from loadgen.settings.credentials import MASK, Credential, bind, find_credentials, take_secrets, unmask
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import CREDENTIALS, Settings, is_set_on_page

HIDDEN = "S3cret"
FOR_M = {"token": Credential("root:kept", "http://m:19530")}


@pytest.mark.parametrize(
    ("address", "bare", "secret"),
    [
        ("http://root:S3cret@m:19530", "http://m:19530", "root:S3cret"),
        ("https://apikey@m.example/db", "https://m.example/db", "apikey"),
        ("http://root:a%40b%2Fc@m", "http://m", "root:a@b/c"),
        ("http://root:a@b@m", "http://m", "root:a@b"),
        ("http://root:@m", "http://m", "root"),
        ("http://m:19530", "http://m:19530", ""),
        ("http://m/a@b", "http://m/a@b", ""),
        ("unix:/run/milvus.sock", "unix:/run/milvus.sock", ""),
        ("", "", ""),
    ],
)
def test_what_stands_before_the_host_is_the_token(address: str, bare: str, secret: str) -> None:
    assert split_secret(address) == (bare, secret)


@pytest.mark.parametrize(
    "same",
    [
        ("http://m", "http://m:19530", "tcp://M:19530", "HTTP://m:19530/", "http://m/other", "http://x:y@m"),
        ("https://m", "https://m:443", "HTTPS://M/"),
        ("http://[::1]:19530", "http://[::1]"),
        ("unix:/a",),
        ("",),
    ],
)
def test_spellings_of_one_server_are_alike(same: tuple[str, ...]) -> None:
    assert len({identify(address) for address in same}) == 1


def test_servers_that_differ_are_told_apart() -> None:
    apart = (
        "http://m", "https://m", "https://m:19530", "http://m:1", "http://m.", "http://m.evil", "http://m@evil", "http://n",
        "http://127.0.0.1", "http://localhost", "http://2130706433", "unix:/a", "unix:/b", "",
    )  # fmt: skip
    assert len({identify(address) for address in apart}) == len(apart)


@pytest.mark.parametrize("address", ["unix:///run/milvus/proxy.sock", "UNIX:///a/b", "lite.db", "http://m:19530/db"])
def test_a_socket_a_file_and_a_server_with_a_database_are_addresses(address: str) -> None:
    assert find_flaw(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "http://m\\@evil", "http://m\t@evil", "http://m @evil", "http://m<>@evil", "http://m#@evil", "http://m?@evil",
        "http://m/@evil", "http://\uff4d:1", "http://m%2eevil", "http://m:1:2", "http://:S3cret@m", "root:S3cret@m",
        "http://root:S3/cret@m", "http://m/a/b", "http://m?x", "http://[m]", "http://m\r\nX: y",
    ],
)  # fmt: skip
def test_an_address_that_two_readers_could_take_differently_is_refused_and_shows_no_password(address: str) -> None:
    assert find_flaw(address)
    with pytest.raises(SettingsError) as caught:
        Settings.parse({"host": address})
    [fault] = caught.value.faults
    assert fault.setting == "host"
    assert (HIDDEN in str(fault), "S3" in str(fault), "\t" in str(fault), "\r" in str(fault)) == (False,) * 4


def test_a_password_in_the_host_becomes_the_token_before_anything_is_checked() -> None:
    settings = Settings.parse({"host": f"http://root:{HIDDEN}@m:19530"})
    assert (settings.host, settings.token.get_secret_value()) == ("http://m:19530", f"root:{HIDDEN}")
    same = {"host": f"http://root:{HIDDEN}@m:19530", "token": f"root:{HIDDEN}"}
    assert Settings.parse(same) == settings


def test_another_token_beside_it_is_a_fault_that_shows_neither() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.parse({"host": f"http://root:{HIDDEN}@m", "token": SecretStr("root:other"), "top_k": "0"})
    faults = {fault.setting: str(fault) for fault in caught.value.faults}
    assert set(faults) == {"token", "top_k"}
    assert faults["token"] == "--token: differs from the one in --host. Give one of the two."


def test_all_secrets_are_credentials_and_only_what_names_no_file_is_for_the_page() -> None:
    assert CREDENTIALS == {"token": "host", "client_cert_file": "host", "client_key_file": "host"}
    started_with = [name for name in Settings.model_fields if not is_set_on_page(name)]
    assert started_with == [
        "server_metrics", "ca_file", "client_cert_file", "client_key_file", "server_cert_file", "server_name",
        "dataset", "query_file", "cache", "documents", "questions", "embedding", "embedding_url", "llm", "llm_url",
        "simulated_url", "rate_profile", "fault", "dry_run", "record", "record_url", "resume", "metrics_port",
        "metrics_bind", "metrics_targets", "metrics_linger", "otlp",
    ]  # fmt: skip


class Undeclared(BaseModel):
    url: str = ""
    key: SecretStr = SecretStr("")


class Later(BaseModel):
    """A model as it may become, with a second server and its key."""

    host: str = ""
    token: SecretStr = Field(SecretStr(""), json_schema_extra={"address": "host"})
    llm_url: str = ""
    llm_key: SecretStr | None = Field(None, json_schema_extra={"address": "llm_url"})


def test_a_new_secret_has_to_say_which_address_it_is_for() -> None:
    with pytest.raises(TypeError, match="the secret setting key has to declare the setting of its address"):
        find_credentials(Undeclared)


def test_a_new_secret_is_bound_without_another_line_of_code() -> None:
    kept = bind(Later(llm_url="https://llm", llm_key=SecretStr("sk-1")))
    assert kept == {"llm_key": Credential("sk-1", "https://llm")}
    filled, faults = unmask({"llm_url": "https://llm:443/"}, kept, Later)
    assert (filled["llm_key"], faults) == ("sk-1", [])
    filled, faults = unmask({"llm_url": "https://evil", "llm_key": MASK}, kept, Later)
    assert filled["llm_key"] == ""
    [fault] = faults
    assert str(fault) == (
        "--llm-key: was given for https://llm and is not sent to https://evil. "
        "Type the one for that server, or empty the field."
    )
    taken, _ = take_secrets({"llm_url": "https://sk-2@llm"}, Later)
    assert taken == {"llm_url": "https://llm", "llm_key": "sk-2"}


@pytest.mark.parametrize(
    ("given", "token", "faults"),
    [
        ({"host": "http://M:19530/", "token": MASK}, "root:kept", 0),
        ({"host": "http://m"}, "root:kept", 0),
        ({"host": "http://evil", "token": MASK}, "", 1),
        ({"host": "http://evil"}, "", 1),
        ({"host": "https://m:19530"}, "", 1),
        ({"host": ""}, "", 1),
        ({"host": "http://evil", "token": ""}, "", 0),
        ({"host": "http://evil", "token": "new"}, "new", 0),
        ({"host": "http://m", "token": "new"}, "new", 0),
    ],
)
def test_the_mask_stands_for_the_token_of_the_same_server_only(given: dict[str, str], token: str, faults: int) -> None:
    filled, result = unmask(given, FOR_M, Settings)
    assert (filled["token"], len(result)) == (token, faults)


def test_a_clients_certificate_is_bound_too(tmp_path: object) -> None:
    kept = {"client_key_file": Credential(str(tmp_path), "http://m")}
    [fault] = unmask({"host": "http://evil"}, kept, Settings)[1]
    assert str(fault).startswith(
        "--client-key-file: was given for http://m and is not sent to http://evil. Start another"
    )
