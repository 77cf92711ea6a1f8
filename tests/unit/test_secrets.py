"""What is shown of commands and their output has no secrets."""

import pytest

from loadgen.text.secrets import find_secret_variables, mask_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kubectl delete pod milvus-0", "kubectl delete pod milvus-0"),
        ("curl http://me:hunter22@host/x", "curl http://***@host/x"),
        ("curl -u me:hunter22 host", "curl -u *** host"),
        ("curl -H 'Authorization: Bearer abc.def' host", "curl -H 'Authorization: Bearer ***' host"),
        ("tool --api-token=hunter22 --count 3", "tool --api-token=*** --count 3"),
        ("tool --password 'a b' x", "tool --password *** x"),
        ("PGPASSWORD=hunter22 psql", "PGPASSWORD=*** psql"),
        ('{"token": "hunter22"}', '{"token": ***}'),
        ("it is canary-1 here", "it is *** here"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert mask_secrets(text, ["canary-1", "3"]) == shown


def test_variables_with_secret_names_are_known() -> None:
    secret_variables = find_secret_variables({"LOADGEN_TOKEN": "one", "DB_PASSWORD": "two", "HOME": "/root"})
    assert secret_variables == ["one", "two"]
