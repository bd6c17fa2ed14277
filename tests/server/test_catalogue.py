"""The kinds of attack that were seen at servers of this sort, one by one, and where each is tried here.

Every test named answers with a 4xx and a clear message, has no effect, and leaves the server alive.
"""

from __future__ import annotations

import ast
import base64
import json
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.doors.mlflow.asking import API as MLFLOW
from tests.doors.mlflow.asking import Asking
from tests.doors.mlflow.serving_doors import door as door
from tests.server.making import API
from tests.server.serving import Serving

ROOT = Path(__file__).resolve().parents[1]
ATTACKS, GUARD, HERE = "doors/mlflow/test_attacks.py", "server/test_guard.py", "server/test_catalogue.py"
PROMISES, TRACES = "server/test_promises.py", "doors/mlflow/test_traces.py"
READ = (ATTACKS, "test_no_path_leads_out_of_the_files_that_are_read")
WRITTEN = (ATTACKS, "test_no_path_leads_out_of_the_files_that_are_written_or_deleted")
PARTS = (ATTACKS, "test_a_multipart_upload_names_no_other_file")
SOURCES = (ATTACKS, "test_no_version_comes_from_a_place_on_a_disk")
LOCATIONS = (ATTACKS, "test_no_experiment_keeps_its_files_on_a_disk_of_the_server")
ASKED = (ATTACKS, "test_no_address_of_a_client_is_asked")
PAGE = (GUARD, "test_a_page_of_another_site_may_not_ask")
HOST = (GUARD, "test_another_host_is_not_answered")
WALKED = (GUARD, "test_no_route_answers_without_a_token_but_the_written_ones")

CATALOGUE: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "A01": ("files read by a path that climbs: get-artifact", (READ,)),
    "A02": ("files read by a path that climbs: artifacts/list", (READ,)),
    "A03": ("files read by a path that climbs: the proxy", (READ, (HERE, "test_a_digest_or_reference_is_no_path"))),
    "A04": ("files written by a path that climbs", (WRITTEN,)),
    "A05": ("files deleted by a path that climbs", (WRITTEN,)),
    "A06": ("uploads in parts by a path that climbs", (WRITTEN, PARTS)),
    "A07": ("a version whose source is a local folder", (SOURCES,)),
    "A08": ("the same for what calls itself a prompt", ((ATTACKS, "test_a_prompt_has_no_place_of_its_own"),)),
    "A09": ("an artifact location hidden behind a fragment", (LOCATIONS,)),
    "A10": ("an artifact location that is a local folder", (LOCATIONS,)),
    "A11": ("names that are paths or look like others", ((ATTACKS, "test_a_name_that_is_a_path_or_looks_like_another_is_refused"),)),
    "A12": ("ids that are paths", ((ATTACKS, "test_an_id_is_no_path"),)),
    "A13": ("a link planted among the files", ((ATTACKS, "test_a_planted_link_is_not_followed"),)),
    "A14": ("readers of traces, logged models and static files", ((ATTACKS, "test_an_id_is_no_path"), READ)),
    "B01": ("a source that makes the server ask", (ASKED,)),
    "B02": ("an artifact location that makes the server ask", (ASKED,)),
    "B03": ("a gateway that makes the server ask", ((HERE, "test_there_is_no_gateway_and_no_graphql"),)),
    "B04": ("a webhook into the server's own network", ((ATTACKS, "test_no_webhook_leads_into_the_servers_own_network"), (ATTACKS, "test_a_webhook_has_a_plain_https_address"))),
    "B05": ("an address in an event or facet", (ASKED,)),
    "C01": ("a page among the files", ((ATTACKS, "test_a_file_is_never_a_page_of_this_server"), (GUARD, "test_kept_bytes_are_never_shown_as_a_page"))),
    "C02": ("markup in what an error repeats", ((ATTACKS, "test_a_refusal_is_json_whatever_it_repeats"),)),
    "C03": ("a page without a strict policy", ((GUARD, "test_every_answer_carries_the_headers_of_a_careful_server"),)),
    "D01": ("another name of the host", (HOST, (ATTACKS, "test_another_page_or_name_of_the_host_changes_nothing"))),
    "D02": ("names of a host that resemble an allowed one", (HOST,)),
    "D03": ("pages of other sites, on every door", (PAGE, (HERE, "test_a_page_of_another_site_reaches_no_door"))),
    "D04": ("a page on another port of this machine", (PAGE,)),
    "E01": ("statements of the database in filters and orders", ((ATTACKS, "test_a_filter_is_never_a_statement_of_the_database"), (ATTACKS, "test_an_order_is_one_of_those_that_are_known"), (ATTACKS, "test_a_page_token_is_one_that_was_given"), (HERE, "test_a_native_filter_is_never_a_statement_of_the_database"))),
    "E02": ("filters that take for ever", ((ATTACKS, "test_a_filter_made_to_take_long_is_answered_at_once"), (HERE, "test_a_native_filter_made_to_take_long_is_answered_at_once"))),
    "E03": ("JSON that is deep or of another shape", ((ATTACKS, "test_a_body_of_another_shape_is_refused"), (GUARD, "test_a_malformed_body_is_a_400"))),
    "E04": ("fields without end", ((ATTACKS, "test_what_is_too_long_is_refused_with_its_limit"), (HERE, "test_more_than_fits_a_page_is_refused"))),
    "E05": ("questions within questions (GraphQL)", ((HERE, "test_there_is_no_gateway_and_no_graphql"),)),
    "E06": ("bodies announced too large", ((ATTACKS, "test_a_body_that_is_announced_too_large_is_not_received"), (GUARD, "test_a_huge_body_is_refused_by_its_announcement"), (GUARD, "test_a_body_that_never_ends_is_cut_off"))),
    "E07": ("packed bodies that unpack without end", ((GUARD, "test_a_packed_bomb_is_refused_and_an_honest_packed_body_is_read"), (HERE, "test_a_packed_bomb_is_refused_by_every_door"))),
    "E08": ("clients that send slowly", (("server/test_life.py", "test_many_clients_at_once_wait_and_are_all_answered"),)),
    "E09": ("floods and wrong shapes of events", ((GUARD, "test_a_malformed_body_is_a_400"), (PROMISES, "test_19_odd_requests_to_every_route_are_refusals_and_never_failures"))),
    "F01": ("a router that forgot to ask who it is: jobs", (WALKED,)),
    "F02": ("a router that forgot to ask who it is: uploads in parts", (WALKED,)),
    "F03": ("a path written so that the check misses it", (WALKED, (HERE, "test_a_path_written_otherwise_is_no_way_around_the_token"))),
    "F04": ("a token that was taken back or is over", ((GUARD, "test_a_revoked_and_an_expired_token_open_nothing"), (GUARD, "test_a_scope_is_all_that_a_token_opens"))),
    "F05": ("guessing tokens", ((GUARD, "test_wrong_tokens_are_answered_only_so_often"), (GUARD, "test_what_is_no_token_does_not_open"))),
    "G01": ("models and settings that run when they are read", ((ATTACKS, "test_no_model_is_ever_loaded_by_the_server"),)),
}  # fmt: skip
KINDS = {"A": 14, "B": 5, "C": 3, "D": 4, "E": 9, "F": 5, "G": 1}


def test_every_kind_of_attack_has_a_test_that_exists() -> None:
    assert list(CATALOGUE) == [
        f"{letter}{n:02}" for letter, count in KINDS.items() for n in range(1, count + 1)
    ]
    known: dict[str, set[str]] = {}
    for said, tests in CATALOGUE.values():
        assert said
        assert tests
        for module, name in tests:
            if module not in known:
                tree = ast.parse((ROOT / module).read_text())
                known[module] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in known[module], (module, name)


# ---- what the doors' own tests do not try --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "sha256:../../x",
        "run:../x",
        "a\x00b",
        "\u202e",
    ],
)
def test_a_digest_or_reference_is_no_path(door: Asking, ref: str) -> None:
    for path in (
        f"show?ref={quote(ref, safe='')}",
        f"trace?ref={quote(ref, safe='')}",
        f"blobs/{quote(ref, safe='')}",
    ):
        answer = door.serving.get(f"{API}/{path}")
        assert answer.status in (400, 404), path
        assert b"root:" not in answer.body


def test_there_is_no_gateway_and_no_graphql(door: Asking) -> None:
    aliases = " ".join(
        f'a{n}: mlflowGetRun(input: {{runId: "x"}}) {{ run {{ info {{ runId }} }} }}' for n in range(1000)
    )
    deep = "{ a " * 3000 + "}" * 3000
    for query in (f"query {{ {aliases} }}", deep):
        for path in ("/graphql", "/ajax-api/2.0/mlflow/graphql", f"{MLFLOW}/graphql"):
            assert door.answer("POST", path, {"query": query}).status in (404, 405), path
    for path in ("gateway-proxy", "gateway/routes", "gateway/endpoints"):
        said = {"gateway_path": "http://169.254.169.254/latest", "request_type": "GET"}
        assert door.answer("POST", f"/ajax-api/2.0/mlflow/{path}", said).status in (404, 405)


def test_a_page_of_another_site_reaches_no_door(door: Asking) -> None:
    for path in (
        f"{MLFLOW}/runs/create",
        f"{API}/tag",
        f"{API}/ingest",
        "/v1/traces",
        "/api/2.0/mlflow-artifacts/artifacts/x",
        "/",
        "/metrics",
        "/health",
    ):
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
        ):
            for method in ("POST", "PUT", "DELETE", "GET", "OPTIONS"):
                assert door.serving.ask(method, path, b"{}", **headers).status == 403, (method, path, headers)


@pytest.mark.parametrize(
    "where",
    [
        "tags.x = '1' OR 1=1",
        "x'; DROP TABLE run; --",
        "metrics.a > 0 UNION SELECT 1",
        "(SELECT 1)",
        "params.`a` = 'b'/**/",
        "tags.x LIKE 'a' ESCAPE 'b'",
    ],
)
def test_a_native_filter_is_never_a_statement_of_the_database(door: Asking, where: str) -> None:
    assert door.serving.get(f"{API}/runs?where={quote(where)}").status == 400
    run = door.run()["run_id"]
    ordered = door.serving.get(f"{API}/runs?limit=1000&order={quote(where)}")
    assert ordered.status in (200, 400)  # any text behind `tags.` is a key, which no run has
    assert ordered.status == 400 or run in ordered.body.decode()


@pytest.mark.parametrize(
    "where",
    [
        "tags.x LIKE '" + "%a" * 20 + "b'",
        "tags.x LIKE '" + "%_a" * 1000 + "'",
        " AND ".join(["tags.x != 'y'"] * 2000),
        "(" * 5000 + "tags.x = 'y'" + ")" * 5000,
        "NOT " * 5000 + "tags.x = 'y'",
        "tags.x = '" + "x" * 1_000_000 + "'",
    ],
    ids=lambda text: f"{text[:12]}{len(text)}",
)
def test_a_native_filter_made_to_take_long_is_answered_at_once(door: Asking, where: str) -> None:
    run = door.run()["run_id"]
    door.post("/runs/set-tag", run_id=run, key="x", value="a" * 5000)
    began = time.monotonic()
    assert door.serving.post(f"{API}/runs", {"where": where}).status in (200, 400)
    assert time.monotonic() - began < 5
    assert door.serving.get("/health").status == 200


def test_more_than_fits_a_page_is_refused(door: Asking) -> None:
    for limit in (0, -1, 10**9, 2**63):
        answer = door.serving.post(f"{API}/runs", {"limit": limit})
        assert (answer.status, answer.code) == (400, "invalid"), limit
    assert door.refused("POST", "/runs/search", {"experiment_ids": ["0"], "max_results": 10**6})[0] == 400
    assert door.refused("GET", "/registered-models/search?max_results=1000000")[0] == 400


def test_a_packed_bomb_is_refused_by_every_door(door: Asking) -> None:
    import gzip

    bomb = gzip.compress(b"0" * 300_000_000, 1)
    for path in (f"{MLFLOW}/runs/create", f"{API}/tag", f"{API}/ingest", "/v1/traces"):
        answer = door.serving.ask(
            "POST", path, bomb, Content_Type="application/json", Content_Encoding="gzip"
        )
        assert answer.status in (400, 413), (path, answer)
    upload = door.serving.ask("PUT", "/api/2.0/mlflow-artifacts/artifacts/x", bomb, Content_Encoding="gzip")
    assert upload.status == 415


def test_a_path_written_otherwise_is_no_way_around_the_token(project: Path) -> None:
    from tests.server.test_guard import token

    token(project, "ana", "--scope", "admin")
    server = Serving(project).start()
    try:
        for path in (
            "/health/../api/lineal/v1/runs",
            "/health;/api/lineal/v1/runs",
            "//api/lineal/v1/runs",
            "/health%2f..%2fapi/lineal/v1/runs",
            "/api/lineal/v1/runs;.css",
            "/api/lineal/v1/runs/",
            "/API/lineal/v1/runs",
            "/version/../api/2.0/mlflow/runs/search",
            "/api/3.0/mlflow/server-info/../runs/search",
            "/api/3.0/mlflow/server-info%00",
        ):
            for method in ("GET", "POST", "HEAD"):
                with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
                    wire.sendall(
                        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
                    )
                    assert int(wire.makefile("rb").readline().split(b" ")[1]) in (400, 401), (method, path)
        for shown in (
            "Basic " + base64.b64encode(b"admin:admin").decode(),
            "Bearer null",
            "Bearer undefined",
            "Bearer " + json.dumps({"alg": "none"}),
        ):
            assert server.get(f"{API}/runs", Authorization=shown).status == 401
    finally:
        server.close()
