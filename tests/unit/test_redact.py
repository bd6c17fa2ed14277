"""Secrets vanish from what is recorded; everything else stays as it was."""

from __future__ import annotations

import json
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.capture import redact
from lineal.capture.redact_names import secret_kind

HEX = "0123456789abcdef"
ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits


def body(length: int, alphabet: str = ALNUM) -> str:
    """Letters in an order that no secret scanner of a code host takes for a real token, but that has every class of character."""
    return "".join(alphabet[(i * 7 + 3) % len(alphabet)] for i in range(length))


JWT = "eyJ" + body(20) + ".eyJ" + body(40) + "." + body(43)
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(body(64) for _ in range(6))
    + "\n-----END RSA PRIVATE KEY-----"
)

# (what it is, the text as it appears, the part that must vanish)
PLANTED: list[tuple[str, str, str]] = [
    ("aws access key", "AKIA" + body(16, UPPER), ""),
    ("aws temporary key", "ASIA" + body(16, UPPER), ""),
    ("aws secret", "aws_secret_access_key = " + body(40), body(40)),
    ("aws session token", "IQoJb3JpZ2lu" + body(200), ""),
    ("github classic", "ghp_" + body(36), ""),
    ("github oauth", "gho_" + body(36), ""),
    ("github user", "ghu_" + body(36), ""),
    ("github server", "ghs_" + body(36), ""),
    ("github refresh", "ghr_" + body(36), ""),
    ("github fine-grained", "github_pat_" + body(22) + "_" + body(59), ""),
    ("gitlab", "glpat-" + body(20), ""),
    ("slack bot", "xoxb-" + body(12, string.digits) + "-" + body(24), ""),
    (
        "slack hook",
        "https://hooks.slack.com/services/T" + body(8, UPPER) + "/B" + body(8, UPPER) + "/" + body(24),
        body(24),
    ),
    ("stripe", "sk_live_" + body(24), ""),
    ("google api", "AIza" + body(35), ""),
    ("google oauth", "ya29." + body(60), ""),
    ("google secret", "GOCSPX-" + body(28), ""),
    ("openai", "sk-" + body(48), ""),
    ("openai project", "sk-proj-" + body(80), ""),
    ("anthropic", "sk-ant-api03-" + body(93), ""),
    ("hugging face", "hf_" + body(34), ""),
    ("pypi", "pypi-AgEIcHlwaS5vcmc" + body(60), ""),
    ("npm", "npm_" + body(36), ""),
    ("jwt", JWT, ""),
    ("pem", PEM, body(64)),
    (
        "azure storage",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + body(86) + "==;EndpointSuffix=y",
        body(86),
    ),
    ("azure sas", "SharedAccessSignature=sv=1&sig=" + body(43), body(43)),
    ("azure client", body(3) + "8Q~" + body(34), ""),
    ("url password", "postgresql://me:" + body(12) + "@db.example.org:5432/x", body(12)),
    ("redis url", "redis://:" + body(12) + "@cache:6379/0", body(12)),
    ("git remote with token", "https://" + body(40) + "@git.example.org/me/repo.git", body(40)),
    ("bearer", "Authorization: Bearer " + body(30), body(30)),
    ("basic", "Authorization: Basic " + body(22) + "==", body(22)),
    ("sendgrid", "SG." + body(22) + "." + body(43), ""),
    ("twilio", "SK" + body(32, HEX), ""),
    ("digitalocean", "dop_v1_" + body(64, HEX), ""),
    ("databricks", "dapi" + body(32, HEX), ""),
    ("telegram", body(9, string.digits) + ":AA" + body(33), ""),
    ("mailgun", "key-" + body(32, HEX), ""),
    ("shopify", "shpat_" + body(32, HEX), ""),
    ("square", "sq0atp-" + body(22), ""),
    ("vault", "hvs." + body(90), ""),
    ("atlassian", "ATATT3" + body(180), ""),
    ("grafana", "glsa_" + body(32) + "_" + body(8, HEX), ""),
    ("nvidia", "nvapi-" + body(64), ""),
    ("groq", "gsk_" + body(52), ""),
    ("replicate", "r8_" + body(37), ""),
    ("linear", "lin_api_" + body(40), ""),
    ("doppler", "dp.pt." + body(43), ""),
    ("age", "AGE-SECRET-KEY-1" + body(58, UPPER), ""),
    ("postman", "PMAK-" + body(24, HEX) + "-" + body(34, HEX), ""),
    ("new relic", "NRAK-" + body(27, UPPER), ""),
    ("wandb by name", "WANDB_API_KEY=" + body(40, HEX), body(40, HEX)),
    ("comet by name", "COMET_API_KEY=" + body(25), body(25)),
    ("docker", "dckr_pat_" + body(27), ""),
    ("discord", "M" + body(23) + "." + body(6) + "." + body(27), ""),
    ("neptune", "eyJhcGlfYWRkcmVzcyI" + body(60) + "=", ""),
    ("langsmith", "lsv2_pt_" + body(32, HEX) + "_" + body(10, HEX), ""),
    ("pinecone", "pcsk_" + body(60), ""),
    ("password in a call", 'connect(user="x", password="' + body(9) + '")', body(9)),
    ("password in yaml", "db:\n  password: " + body(9) + "\n", body(9)),
    ("password in ini", "password = correcthorse", "correcthorse"),
    ("password in an env file", "DB_PASSWORD=abc(def]x,y", "def]x,y"),
    ("password in json in json", '{"a": "{\\"password\\": \\"' + body(9) + '\\"}"}', body(9)),
    ("header in a diff", '+    headers = {"X-Api-Key": "' + body(20) + '"}', body(20)),
    ("option in a command", "train.py --api-key " + body(20) + " --epochs 3", body(20)),
    (
        "signed url",
        "https://b.s3.amazonaws.com/k?X-Amz-Credential=" + body(30) + "&X-Amz-Signature=" + body(64, HEX),
        body(64, HEX),
    ),
    ("connection string", "CONNECTION_STRING='Server=x;Pwd=" + body(9) + "'", body(9)),
]

INNOCENT = [
    "max_tokens=4096 n_tokens: 17 token_count=3 tokenizer=bert-base-uncased pad_token=[PAD] eos_token='</s>'",
    "sort_key=name primary_key: id foreign_key = user_id keyboard=qwerty monkey=george public_key=abc",
    "CountVectorizer(token_pattern='(?u)\\\\b\\\\w\\\\w+\\\\b', stop_words='english')",
    "for token in tokens:\n    key = token.lower()\n    token = line.strip()\n    token = next(stream)",
    "def login(user: str, password: str, token: str | None = None) -> Token:",
    "password = getpass.getpass()\napi_key = os.environ['API_KEY']\nconnect(password=password, token=self.token)",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "commit 1b2c3d4e5f60718293a4b5c6d7e8f90112233445\nAuthor: A <a@example.org>",
    "https://example.org/data/flights.csv?year=2013&page=2#top",
    "s3://bucket/path/to/key-with-dashes/part-0001.parquet",
    "http://localhost:8080/path/x@v2/file",
    "git@github.com:owner/repo.git ssh://git@example.org:22/owner/repo.git",
    "sk-container-id-1 sk-toggleable__content sk-text-repr-fallback sk-learn task-1234567890123456789012345678901234",
    "hf_hub_download(repo_id='x') hf_transfer npm_config_registry=https://registry.npmjs.org",
    "basic authentication is off; a bearer of bad news; Basic usage: lineal run",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6 2026-01-01T00:00:00Z 192.168.0.1:5432",
    "passed=12 failed=0 forward_pass=3 n_passes=2 bypass=true compass=north password_file=/run/secrets/db secret_name=x",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----",
    "loss=0.31 auc: 0.9021 learning_rate=1e-3 description: the signature of f",
    'export DB_PASSWORD="${DB_PASSWORD}" TOKEN=$TOKEN password: null, password: "", use_auth_token=True',
    "Ünïcode, \udcff lone surrogates and \x00 bytes",
    "Skating on AC power: ACCOUNTING and AKIAsomethingelse",
    "pattern=^pat[a-z]+$ path=/patches/pat.txt api_key_env=X",
]


@pytest.mark.parametrize(
    ("written", "secret"), [(t, s or t) for _, t, s in PLANTED], ids=[n for n, _, _ in PLANTED]
)
def test_a_planted_secret_vanishes_wherever_it_stands_in_a_text(written: str, secret: str) -> None:
    on_own_line = written.startswith(("password", "db:", "DB_", "CONN"))
    for surrounding in (
        ("{}", "\n{}\n") if on_own_line else ("{}", "a {} b", "x='{}'\n", '{{"a": "{}"}}', "+{}\n")
    ):
        redacted, count = redact.text(surrounding.format(written))
        assert secret not in redacted
        assert "[REDACTED:" in redacted
        assert count >= 1


@pytest.mark.parametrize("innocent", INNOCENT)
def test_what_is_no_secret_stays_untouched(innocent: str) -> None:
    assert redact.text(innocent) == (innocent, 0)


@pytest.mark.parametrize(
    "name",
    "password DB_PASSWORD dbPassword passwd api_key apikey API-KEY apiKey x-api-key HF_TOKEN token hubToken access_key AWS_ACCESS_KEY_ID "
    "private_key credential credentials Authorization connection_string ConnectionString db.password secretKey client_secret auth_token "
    "MYSQL_PASS SMTP_PASS github_pat AccountKey SharedAccessKey openai_api_key wandb_key refresh_tokens".split(),
)
def test_a_key_name_that_says_secret_is_one(name: str) -> None:
    assert secret_kind(name)


@pytest.mark.parametrize(
    "name",
    "max_tokens tokenizer n_tokens token_count sort_key monkey key keys keyboard primary_key pad_token token_pattern token_type_ids "
    "num_tokens tokens add_special_tokens max_new_tokens password_length secret_name passes n_pass compass bypass pattern path token_id author "
    "authority cookiecutter secretary passenger_count pwm".split(),
)
def test_a_key_name_that_only_sounds_like_it_is_none(name: str) -> None:
    assert not secret_kind(name)


def test_argv_keeps_its_length_and_loses_its_secrets() -> None:
    command = [
        "train.py",
        "--epochs",
        "3",
        "--password",
        "hunter2",
        "--api-key=abc",
        "db.password=x9",
        "--token",
        "--verbose",
        "hf_" + body(34),
    ]
    assert redact.argv(command) == [
        *["train.py", "--epochs", "3", "--password", "[REDACTED:password]", "--api-key=[REDACTED:key]"],
        *["db.password=[REDACTED:password]", "--token", "--verbose", "[REDACTED:huggingface-token]"],
    ]
    assert redact.argv(["/usr/bin/curl", "-u", "me:hunter2", "https://x"])[2] == "me:[REDACTED:password]"
    assert redact.argv(["docker", "run", "-u", "1000:1000"]) == ["docker", "run", "-u", "1000:1000"]
    assert redact.argv(["x", "--max_tokens=12", "--sort-key", "name"]) == [
        "x",
        "--max_tokens=12",
        "--sort-key",
        "name",
    ]


def test_a_mapping_is_redacted_at_every_depth_and_otherwise_equal() -> None:
    values = {
        "lr": 0.1,
        "password": "x",
        "pin": {"secret": 1234, "list": [{"api_key": "abc"}, "ghp_" + body(36)]},
        "secret": None,
        "use_token": True,
    }
    redacted = redact.mapping(values)
    assert redacted == {
        "lr": 0.1,
        "password": "[REDACTED:password]",
        "pin": {
            "secret": "[REDACTED:secret]",
            "list": [{"api_key": "[REDACTED:key]"}, "[REDACTED:github-token]"],
        },
        "secret": None,
        "use_token": True,
    }
    json.dumps(redacted)


def test_a_uri_loses_its_credentials_and_keeps_everything_else() -> None:
    signed = "https://me:pw@h.example.org:8443/a/b.parquet?versionId=7&X-Amz-Signature=abc&sv=2024&sig=d%2Be&token=t1&page=2"
    assert redact.uri(signed) == (
        "https://me:[REDACTED:password]@h.example.org:8443/a/b.parquet?versionId=7&X-Amz-Signature=[REDACTED:signature]"
        "&sv=2024&sig=[REDACTED:signature]&token=[REDACTED:token]&page=2"
    )


def test_an_environment_variable_is_judged_by_name_and_by_value() -> None:
    assert redact.env("MY_SECRET", "x") == "[REDACTED:secret]"
    assert redact.env("HTTPS_PROXY", "http://u:pw@proxy:3128") == "http://u:[REDACTED:password]@proxy:3128"
    assert redact.env("CUDA_VISIBLE_DEVICES", "0,1") == "0,1"


@given(st.text(max_size=300))
def test_redacting_twice_changes_nothing_more(written: str) -> None:
    once, _ = redact.text(written)
    assert redact.text(once)[0] == once


def test_the_one_secret_in_a_diff_of_ten_megabytes_is_found() -> None:
    line = "+    values['feature_{}'] = compute(frame, window={}, key=sorted_key)  # sha 9f86d081884c7d65\n"
    written = "".join(line.format(i, i) for i in range(110_000)) + "password = '" + body(12) + "'\n"
    assert len(written) > 10_000_000
    redacted, count = redact.text(written)
    assert count == 1
    assert body(12) not in redacted


@pytest.mark.parametrize(
    "unit",
    ["a", "_", "-", "eyJ", ".eyJ", "-eyJ", "eyJaaaaaaaa.", "sk-", "-sk-a", "://", "://a:", "://a:b", "password", "password=", "password='", "token ",
     "--token ", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "[REDACTED:", "0:AA", "&sig=", "bearer ", "SG.aaaaaaaaaaaaaaaa", "key", "_key", "\\", '"',
     "xoxb-.", "8Q~", "\udcff", "bearer " + "a" * 40 + " "],
)  # fmt: skip
def test_a_hostile_text_costs_time_in_proportion_to_its_length(unit: str) -> None:
    def cost(length: int) -> float:
        written = unit * (length // len(unit))
        began = time.perf_counter()
        redact.text(written)
        return time.perf_counter() - began

    cost(1000)
    assert cost(1_000_000) < 20.0  # in proportion it is a fraction of a second; with its square, hours
