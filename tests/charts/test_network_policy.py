"""The network is open for what a run needs, and for nothing else."""

from tests.charts.chart_support import ROLES, one, release_of, render, values_of


def test_the_network_is_closed_but_for_what_a_run_needs() -> None:
    documents = release_of("network-policy")
    master, worker = (one(documents, "NetworkPolicy", f"-{role}")["spec"] for role in ROLES)
    [from_workers, scrape] = master["ingress"]
    ours = [{"protocol": "TCP", "port": 5557}, {"protocol": "TCP", "port": 5556}]
    assert from_workers["ports"] == ours
    assert from_workers["from"][0]["podSelector"] == {"matchLabels": worker["podSelector"]["matchLabels"]}
    assert scrape["ports"] == [{"protocol": "TCP", "port": 9646}]
    assert scrape["from"] == values_of("network-policy")["networkPolicy"]["scrapeFrom"]
    assert [rule["ports"] for rule in worker["ingress"]] == [[{"protocol": "TCP", "port": 9646}]]
    dns, milvus, to_master, extra = worker["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert milvus["ports"] == [{"protocol": "TCP", "port": 19999}]
    assert milvus["to"] == values_of("network-policy")["networkPolicy"]["milvusTo"]
    assert to_master["ports"] == ours
    assert extra["ports"] == [{"protocol": "TCP", "port": 443}]


def test_without_a_port_in_the_address_the_policy_opens_that_of_its_scheme() -> None:
    for uri, port in (
        ("http://my-milvus", 19530),
        ("https://a.zillizcloud.com", 443),
        ("https://my-milvus:19530", 19530),
    ):
        documents = render({"milvus": {"uri": uri}, "networkPolicy": {"enabled": True}})
        milvus = one(documents, "NetworkPolicy", "-worker")["spec"]["egress"][1]
        assert milvus["ports"] == [{"protocol": "TCP", "port": port}]


def test_on_openshift_names_are_asked_for_on_its_port_too() -> None:
    for feature, ports in (("openshift", {53, 5353}), ("network-policy", {53})):
        for role in ROLES:
            dns = one(release_of(feature), "NetworkPolicy", f"-{role}")["spec"]["egress"][0]
            assert {(each["protocol"], each["port"]) for each in dns["ports"]} == {
                (protocol, port) for protocol in ("UDP", "TCP") for port in ports
            }


def test_without_a_heartbeat_its_port_is_closed() -> None:
    documents = render({"prepare": {"enabled": False}, "networkPolicy": {"enabled": True}})
    assert "5556" not in str(documents)
