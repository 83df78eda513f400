"""Addresses of models and of this program. Numbers are the cases of the trust list."""

from __future__ import annotations

import pytest

from chat.errors import SettingRefused, SettingsError
from chat.settings import (
    LOCAL_BACKENDS,
    PRESETS,
    ConnectionUpdate,
    check_base_url,
    check_bind,
    load_settings,
    save_connection,
)
from chat.settings.endpoint import is_forbidden_address, parse_base_url
from tests.support.keys import saved, whole

GOOD = {
    "http://127.0.0.1:11434/v1/": "http://127.0.0.1:11434/v1",
    "HTTPS://OpenRouter.AI/api/v1": "https://openrouter.ai/api/v1",
    "  http://localhost:8080  ": "http://localhost:8080",
    "http://[::1]:8080/v1": "http://[::1]:8080/v1",
    "http://192.168.1.20:1234/v1": "http://192.168.1.20:1234/v1",
    "http://my_llm:8000/v1": "http://my_llm:8000/v1",
    "https://xn--bcher-kva.example/v1": "https://xn--bcher-kva.example/v1",
    "http://[fd12:3456::1]/v1": "http://[fd12:3456::1]/v1",
    "": "",
    "   ": "",
}


@pytest.mark.parametrize("url", GOOD)
def test_case_68_a_usable_address_is_kept_in_its_plain_form(url: str) -> None:
    assert check_base_url(url) == GOOD[url]
    assert check_base_url(GOOD[url]) == GOOD[url]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://a.test", "gopher://a.test", "data:text/plain,x", "javascript:alert(1)",
        "a.test/v1", "//a.test/v1", "localhost:8080", "http:a.test", "http:/a.test", "http:///v1", "http://",
        "https://user:pass@a.test", "https://user@a.test", "https://api.openai.com@evil.test", "https://@a.test",
        "https://a.test/#x", "https://evil.test/?api.openai.com", "https://a.test/v1?x=1",
        "https://a.test/\r\nX: y", "https://a.test\t/v1", "\nhttps://a.test", "https://a.test\n", "https://a.test/\x00",
        "https://a.test\\@evil.test", "https:\\\\a.test", "https://a.test /v1", "https://" + "a" * 20_000,
        "https://оpenai.com", "https://ｅxample.com", "https://a.test\u200b", "https://a。test", "https://ⓐ.test",
        "https://a.test:0", "https://a.test:65536", "https://a.test:port", "https://a.test:", "https://a.test:80:80",
        "https://a%2etest", "https://[::1", "https://::1", "https://[zz::1]", "https://[fe80::1%25eth0]",
        "https://a..test", "https://.a.test", "https://a.test/<svg>", 'https://a.test/"x',
    ],
)  # fmt: skip
def test_case_68_an_address_that_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(SettingRefused) as caught:
        check_base_url(url)
    assert caught.value.field == "base_url"
    assert caught.value.next_step
    assert "pass@" not in whole(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.169.254.", "169.254.0.1", "[fd00:ec2::254]", "[fe80::1]", "metadata",
        "metadata.google.internal", "METADATA.google.internal.", "100.100.100.200", "192.0.0.192",
        "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[::169.254.169.254]", "2852039166", "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE", "0251.0376.0251.0376", "025177524776", "169.254.43518", "169.16689662", "0.0.0.0",
        "[::]", "0", "127.1", "2130706433", "0x7f.1", "017700000001", "224.0.0.1", "255.255.255.255", "[ff02::1]",
        "1.2.3.256", "1.2.3.4.5", "127.0.0.01", "0.1.2.3",
    ],
)  # fmt: skip
def test_case_70_addresses_that_are_never_a_model_are_refused(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(SettingRefused):
            check_base_url(f"{scheme}://{host}/v1")
        with pytest.raises(SettingRefused):
            check_base_url(f"{scheme}://{host}:8080/v1")


def test_case_70_what_a_name_resolves_to_can_be_asked_again() -> None:
    for address in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "0.0.0.0"):
        assert is_forbidden_address(address)
    for address in (
        "127.0.0.1",
        "::1",
        "192.168.1.1",
        "10.0.0.1",
        "8.8.8.8",
        "fd12::1",
        "2606:4700::1",
        "no address",
    ):
        assert not is_forbidden_address(address)


def test_case_71_the_own_address_is_refused_in_all_its_spellings() -> None:
    for host in (
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "127.5.5.5",
        "app.localhost",
        "[::ffff:127.0.0.1]",
    ):
        with pytest.raises(SettingRefused, match="own address"):
            check_base_url(f"http://{host}:8321/v1", own_ports={8321, 40_001})
        assert check_base_url(f"http://{host}:8322/v1", own_ports={8321})
    with pytest.raises(SettingRefused, match="own address"):
        saved(base_url="http://127.0.0.1:8321/v1")
    with pytest.raises(SettingRefused, match="own address"):
        save_connection(
            load_settings(), ConnectionUpdate(base_url="http://localhost:40001"), own_ports={40_001}
        )


def test_case_14_only_this_machine_may_be_listened_on() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "[::1]"):
        assert check_bind(host) == host.strip("[]")
    for host in (
        "0.0.0.0",
        "::",
        "192.168.1.2",
        "example.org",
        "",
        "127.1",
        "127.0.0.2",
        "localhost.evil.test",
    ):
        with pytest.raises(SettingRefused, match="only listens on this machine"):
            check_bind(host)
    with pytest.raises(SettingsError, match="only listens on this machine"):
        load_settings(host="0.0.0.0")


def test_presets_and_local_back_ends_are_usable_and_never_our_own_port() -> None:
    for preset in (*PRESETS, *LOCAL_BACKENDS):
        assert check_base_url(preset.base_url, {8321}) == preset.base_url
    assert {"Featherless", "OpenRouter"} <= {preset.name for preset in PRESETS}
    assert load_settings().port not in {parse_base_url(preset.base_url).port for preset in LOCAL_BACKENDS}
    featherless = PRESETS[0]
    assert featherless.narrative_model == "dphn/Dolphin-Mistral-24B-Venice-Edition"
    assert featherless.classifier_model == "NousResearch/Hermes-3-Llama-3.1-8B"
