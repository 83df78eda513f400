"""What other sites and other programs may not do. Numbers are the cases of the trust list."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from chat.web.security import CONTENT_SECURITY_POLICY
from tests.support.walled import BODY_BYTES, FORM, World, own, post, small_app
from tests.support.wire import ask, parsed, raw, serving


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, World]]:
    world = World()
    with serving(small_app(world)) as port:
        yield port, world


@pytest.fixture
def port(served: tuple[int, World], world: World) -> int:
    return served[0]


@pytest.fixture
def world(served: tuple[int, World]) -> World:
    """Fresh for each test; the server is shared."""
    served[1].__init__()  # type: ignore[misc]
    return served[1]


def test_our_own_form_a_script_and_curl_may_act(port: int, world: World) -> None:
    assert post(port, own(port)).status == 200
    assert post(port, {}).status == 200
    assert (
        ask(port, "PUT", "/chats/1/draft", {"Content-Type": "application/json"}, b'{"text": "x"}').status
        == 200
    )
    assert ask(port, "POST", "/chats/1/turns/1/stop").status == 200
    assert world.calls == ["turn", "turn", "draft", "stop"]
    assert world.posted == ["hello", "hello"]


def test_case_01_a_form_of_another_site_is_refused(port: int, world: World) -> None:
    answer = post(port, {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert "nothing was done" in answer.text
    assert post(port, {"Origin": "https://evil.test"}).status == 403
    assert post(port, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert post(port, {"Sec-Fetch-Site": "none"}).status == 403
    assert world.calls == []


def test_case_02_an_opaque_origin_is_refused_unless_the_browser_vouches_for_it(
    port: int, world: World
) -> None:
    assert post(port, {"Origin": "null"}).status == 403
    assert post(port, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}).status == 403
    assert post(port, {"Origin": "null", "Sec-Fetch-Site": "same-site"}).status == 403
    assert world.calls == []
    assert post(port, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}).status == 200


@pytest.mark.parametrize(
    "origin", ["http://localhost:{other}", "http://127.0.0.1:{other}", "http://localhost:{port}"]
)
def test_case_03_another_program_on_this_machine_is_refused(port: int, world: World, origin: str) -> None:
    foreign = origin.format(other=port + 1, port=port)
    assert post(port, {"Origin": foreign, "Sec-Fetch-Site": "same-site"}).status == 403
    assert post(port, {"Origin": foreign}).status == 403
    assert world.calls == []


@pytest.mark.parametrize("kind", ["text/plain", "text/json", "", "application/x-www-form-urlencoded"])
def test_case_04_json_is_only_read_as_json(port: int, world: World, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = ask(port, "PUT", "/chats/1/draft", headers, b'{"text": "x"}')
    assert answer.status in (415, 422)
    assert world.calls == []


def test_case_05_reading_methods_never_act_and_no_header_changes_the_method(port: int, world: World) -> None:
    override = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
    assert ask(port, "GET", "/chats/1/turns", override).status == 405
    assert ask(port, "HEAD", "/chats/1/turns").status == 405
    assert post(port, override, b"prose=x&_method=DELETE").status == 200
    assert world.calls == ["turn"]


FOREIGN_HOSTS = (
    "evil.test", "evil.test:{port}", "127.0.0.1.evil.test:{port}", "localhost.evil.test:{port}",
    "127.0.0.1:{port}@evil.test", "127.0.0.1@evil.test", "evil.test:127.0.0.1", "", " ", "0.0.0.0:{port}",
    "127.1:{port}", "2130706433:{port}", "0x7f000001:{port}", "[::]:{port}", "[::ffff:127.0.0.1]:{port}",
    "127.0.0.1", "localhost", "[::1]", "127.0.0.1:", "127.0.0.1:{other}", "localhost:{other}", "127.0.0.1:0{port}",
    "127.0.0.1:{port}0", "localhost.:{port}", "127.0.0.2:{port}", "127.0.0.1:{port},evil.test", "127.0.0.1:{port} x",
    "127.0.0.1:+{port}", "::1:{port}", "user@127.0.0.1:{port}", "http://127.0.0.1:{port}",
)  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_case_06_every_other_host_is_refused_before_any_handler(port: int, world: World, host: str) -> None:
    headers = {"Host": host.format(port=port, other=port + 1)}
    for path in ("/", "/static/app.css", "/chats/1/events", "/chats/1/export.json", "/nowhere"):
        assert ask(port, "GET", path, headers).status in (400, 403), path
    assert post(port, headers).status in (400, 403)
    assert world.calls == []


def test_case_06_missing_and_doubled_hosts_are_refused(port: int, world: World) -> None:
    ours = f"Host: 127.0.0.1:{port}\r\n"
    for lines in ("", ours + ours, ours + "Host: evil.test\r\n", "Host: evil.test\r\n" + ours):
        answer = parsed(raw(port, f"GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode()))
        assert answer.status in (400, 403)
    assert parsed(raw(port, b"GET / HTTP/1.0\r\n\r\n")).status == 400
    assert world.calls == []


@pytest.mark.parametrize(
    "target", ["http://evil.test/", "http://127.0.0.1:{port}/", "evil.test:80", "*", "//evil.test/"]
)
def test_case_06_a_target_that_names_a_server_is_refused(port: int, world: World, target: str) -> None:
    line = f"GET {target.format(port=port)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    assert parsed(raw(port, line.encode())).status in (400, 403)
    assert world.calls == []


def test_case_06_both_names_of_this_machine_answer(port: int, world: World) -> None:
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert ask(port, headers={"Host": host}).status == 200


def test_case_07_the_ipv6_address_answers_when_bound_to_it(world: World) -> None:
    with serving(small_app(world), socket.AF_INET6) as port:
        assert ask(port, headers={"Host": f"[::1]:{port}"}, address="::1").status == 200
        assert ask(port, headers={"Host": f"[::1]:{port + 1}"}, address="::1").status == 403


def test_case_08_a_rebound_page_is_refused_by_its_host_alone(port: int, world: World) -> None:
    evil = f"evil.test:{port}"
    headers = {"Host": evil, "Origin": f"http://{evil}", "Sec-Fetch-Site": "same-origin"}
    assert post(port, headers).status == 403
    assert ask(port, headers=headers).status == 403
    assert ask(port, path="/chats/1/events", headers=headers).status == 403
    assert world.calls == []


def test_case_09_a_preflight_gets_no_permission(port: int, world: World) -> None:
    for headers in (
        {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"},
        {"Origin": "https://evil.test", "Access-Control-Request-Private-Network": "true"},
        own(port),
    ):
        answer = ask(port, "OPTIONS", "/chats/1/turns", headers)
        assert answer.status == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "access-control-allow-origin" not in ask(port).headers, "even when a handler sets it"
    assert world.calls == ["page"]


@pytest.mark.parametrize("dest", ["script", "image", "empty", "style", "font", "audio", "worker"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything-else"])
def test_case_10_other_sites_cannot_load_anything(port: int, world: World, dest: str, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest, "Sec-Fetch-Mode": "no-cors"}
    for path in ("/", "/chats/1/export.json", "/static/app.css", "/chats/1/events"):
        answer = ask(port, path=path, headers=headers)
        assert answer.status == 403
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert world.calls == []


def test_case_10_a_link_from_elsewhere_opens_pages_and_nothing_else(port: int, world: World) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(port, headers=link).text == "<p>hello</p>"
    assert ask(port, path="/away", headers=link).status == 303
    for path in ("/chats/1/export.json", "/static/app.css", "/chats/1/events"):
        answer = ask(port, path=path, headers=link)
        assert answer.status == 403
        assert "story" not in answer.text
    assert post(port, link).status == 403
    assert ask(port, path="/chats/1/export.json").text == '{"secret":"story"}'


def test_case_10_a_foreign_origin_cannot_read_even_without_fetch_metadata(port: int, world: World) -> None:
    for path in ("/", "/chats/1/export.json", "/chats/1/events"):
        assert ask(port, path=path, headers={"Origin": "https://evil.test"}).status == 403
    assert world.calls == []


@pytest.mark.parametrize("dest", ["iframe", "frame", "embed", "object", "fencedframe"])
@pytest.mark.parametrize("site", ["cross-site", "same-origin", "none"])
def test_case_11_no_page_is_shown_in_a_frame(port: int, world: World, dest: str, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": dest}
    assert ask(port, headers=headers).status == 403
    assert world.calls == []
    assert "frame-ancestors 'none'" in ask(port).headers["content-security-policy"]


def test_case_12_no_address_of_the_request_comes_back_in_a_refusal(port: int) -> None:
    for path in ("/go?next=//evil.test", "/%22%3E%3Csvg%20onload=x%3E"):
        answer = ask(port, path=path, headers={"Host": "evil.test", "Referer": "https://evil.test/x"})
        assert answer.status == 403
        assert "evil" not in answer.text
        assert "svg" not in answer.text
        assert "location" not in answer.headers


def test_case_13_proxy_headers_are_not_believed(port: int) -> None:
    claimed = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.test",
        "Forwarded": "for=6.6.6.6;host=evil.test;proto=https",
        "X-Real-IP": "6.6.6.6",
        "Remote-User": "admin",
    }
    seen = json.loads(ask(port, path="/whoami", headers=claimed).body)
    assert seen == {"client": "127.0.0.1", "scheme": "http", "base": f"http://127.0.0.1:{port}/"}
    assert ask(port, headers={**claimed, "Host": "evil.test"}).status == 403


def test_case_27_every_answer_carries_the_policy_and_the_seal(port: int) -> None:
    answers = [
        ask(port),
        ask(port, path="/nowhere"),
        ask(port, path="/static/app.css"),
        ask(port, path="/chats/1/events"),
        ask(port, headers={"Host": "evil.test"}),
        ask(port, "BREW"),
        post(port, {}, b"prose=" + b"x" * BODY_BYTES),
        post(port, {}, b"nothing=1"),
        ask(port, path="/broken"),
    ]
    assert sorted({answer.status for answer in answers}) == [200, 400, 403, 404, 413, 422, 500]
    for answer in answers:
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in answer.headers
    kept = [answer.headers["cache-control"] for answer in answers]
    assert kept == ["no-store", "no-store", "public, max-age=31536000", *["no-store"] * 6]
    assert CONTENT_SECURITY_POLICY == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def test_the_stream_is_for_our_own_pages(port: int, world: World) -> None:
    path = "/chats/1/events"
    assert ask(port, path=path, headers=own(port)).status == 200
    assert ask(port, path=path, headers={"Origin": "https://evil.test", **FORM}).status == 403
    assert (
        ask(port, path=path, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}).status == 403
    )
    assert world.calls == ["events"]


def test_doubled_deciding_headers_are_refused(port: int, world: World) -> None:
    ours = f"Origin: http://127.0.0.1:{port}\r\n"
    ours += f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n"
    request = f"POST /chats/1/turns HTTP/1.1\r\n{ours}Origin: null\r\n\r\n"
    assert parsed(raw(port, request.encode())).status == 400
    assert world.calls == []
