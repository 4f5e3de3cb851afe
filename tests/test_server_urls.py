"""``PATCHBANK_QDRANT_URL``: one node or several."""

from __future__ import annotations

import pytest

from patchbank.errors import InvalidSettings
from patchbank.server_urls import ServerUrl
from patchbank.settings import load_settings


def nodes(text: str, port: int = 6334) -> tuple[ServerUrl, ...]:
    return load_settings(qdrant_url=text, qdrant_grpc_port=port).qdrant_nodes


def test_one_url_is_one_node_and_none_is_the_embedded_store() -> None:
    assert nodes("http://qdrant") == (ServerUrl("http://qdrant", "qdrant", False, 6333, 6334),)
    assert nodes("https://qdrant.example.com:443/", 7334) == (
        ServerUrl("https://qdrant.example.com:443", "qdrant.example.com", True, 443, 7334),
    )
    assert load_settings().qdrant_nodes == ()


def test_several_urls_are_several_nodes_each_with_a_grpc_port_of_its_own_if_it_has_one() -> None:
    several = nodes("http://a:6333, http://b ,http://[::1]:6335?grpc_port=7000")
    assert [(node.host, node.http_port, node.grpc_port) for node in several] == [
        ("a", 6333, 6334),
        ("b", 6333, 6334),
        ("::1", 6335, 7000),
    ]
    assert several[2].target == "[::1]:7000"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://a,https://b", "all nodes with"),
        ("http://a,http://a", "named twice"),
        ("http://a:6333,http://A:7333", "named twice"),
        ("http://a,", "several with commas"),
        ("http://a?grpc_port=0", "1 to 65535"),
        ("http://a:99999", "1 to 65535"),
        ("http://a?port=7", "grpc_port"),
        ("http://a/path,http://b", "use http"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why) as caught:
        nodes(text)
    assert "PATCHBANK_QDRANT_URL" in caught.value.message


def test_another_place_may_be_several_nodes() -> None:
    elsewhere = load_settings(qdrant_grpc_port=7334).at("http://a,http://b?grpc_port=1")
    assert [node.grpc_port for node in elsewhere.qdrant_nodes] == [7334, 1]


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("http://10.0.0.7", True),
        ("http://qdrant.example.com", True),
        ("http://[fd00::1]", True),
        ("https://qdrant.example.com", False),
        ("http://127.0.0.1", False),
        ("http://localhost", False),
        ("http://[::1]", False),
        ("http://qdrant-nodes", False),
    ],
)
def test_a_key_over_the_network_without_tls_is_noticed(url: str, exposed: bool) -> None:
    assert bool(load_settings(qdrant_url=url, qdrant_api_key="key").qdrant_key_exposed) is exposed
    assert load_settings(qdrant_url=url).qdrant_key_exposed == ""
