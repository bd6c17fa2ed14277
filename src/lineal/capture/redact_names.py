"""Which names hold secrets: identifiers are read as words, so that `HF_TOKEN` is one and `max_tokens` is not."""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# A word that makes a key's value secret wherever it stands in the key.
_SECRET_WORDS = {
    "password": "password",
    "passwords": "password",
    "passwd": "password",
    "passphrase": "password",
    "pwd": "password",
    "secret": "secret",
    "secrets": "secret",
    "credential": "credential",
    "credentials": "credential",
    "creds": "credential",
    "authorization": "authorization",
    "authtoken": "token",
    "accesstoken": "token",
    "apitoken": "token",
    "bearer": "token",
    "apikey": "key",
    "apikeys": "key",
    "accesskey": "key",
    "secretkey": "secret",
    "privatekey": "key",
    "connectionstring": "connection-string",
    "connstr": "connection-string",
    "sharedaccesssignature": "signature",
    "cookie": "cookie",
    "cookies": "cookie",
}
_SECRET_PAIRS = {
    ("pass", "word"): "password",
    ("pass", "phrase"): "password",
    ("connection", "string"): "connection-string",
    ("conn", "string"): "connection-string",
    ("conn", "str"): "connection-string",
    ("shared", "signature"): "signature",
    ("access", "signature"): "signature",
}
_KEY_OF = _set(
    "api access private secret encryption decryption signing master account storage ssh service "
    "subscription deploy auth admin client gpg pgp aes hmac jwt webhook license root server openai "
    "anthropic wandb stripe cohere mistral pinecone comet neptune langsmith datadog dd sendgrid "
    "mailgun groq huggingface hf azure aws gcp google"
)
_PASS_OF = _set(
    "db database user mysql postgres pg smtp root admin ftp sftp redis mail email ssh proxy ldap "
    "mongo rabbitmq"
)
_PAT_OF = _set("github gh gitlab azure ado devops git snowflake databricks airtable")
# `pad_token`, `max_token`: the word of a vocabulary, not of a lock.
_TOKEN_OF_TEXT = _set(
    "pad eos bos unk mask sep cls sos special stop start end next prev previous last first max min "
    "num n per image img audio video text word sub subword input output target source decoder encoder "
    "prompt prefix suffix bot eot separator unknown mean avg avgs total new each single every best "
    "top current cur is by or no len average predicted class cls0 patch time"
)
# `password_file`, `token_count`: about the secret, not the secret.
_ABOUT = _set(
    "length len count size file path dir min max policy ttl expiry expires expiration timeout enabled "
    "required type field column col prompt env var name names arn provider manager store backend "
    "rotation strength url uri endpoint class pattern"
)

_known_keys: dict[str, str] = {}


def _words(name: str) -> list[str]:
    """The words of an identifier in lower case: split at anything not alphanumeric and where camel case turns."""
    words: list[str] = []
    start = 0
    for i, char in enumerate(name):
        if not char.isalnum():
            if i > start:
                words.append(name[start:i].lower())
            start = i + 1
        elif char.isupper() and i > start:
            after_lower = not name[i - 1].isupper()
            before_lower = i + 1 < len(name) and name[i + 1].islower()
            if after_lower or before_lower:
                words.append(name[start:i].lower())
                start = i
    if start < len(name):
        words.append(name[start:].lower())
    return words


def _kind_of_words(words: list[str]) -> str:
    last = words[-1]
    if last in _ABOUT or (len(words) > 1 and words[-1].isdigit() and words[-2] in _ABOUT):
        return ""
    before = ""
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else ""
        kind = _SECRET_WORDS.get(word) or _SECRET_PAIRS.get((word, following), "")
        if kind:
            return kind
        if word in ("key", "keys") and before in _KEY_OF:
            return "key"
        if (
            word == "token"
            and (not following or following in ("value", "id") or following.isdigit())
            and before not in _TOKEN_OF_TEXT
        ):
            return "" if following == "id" and not before else "token"
        if word == "tokens" and before in ("api", "access", "auth", "refresh", "session", "bearer"):
            return "token"
        if word == "pass" and before in _PASS_OF:
            return "password"
        if word == "pat" and not following and before in _PAT_OF:
            return "token"
        before = word
    return ""


def secret_kind(name: str) -> str:
    """What kind of secret a key of this name holds (`password`, `token`, `key` ...), or an empty text.

    Names are read as words: `HF_TOKEN`, `apiKey` and `db.password` are secret; `max_tokens`, `tokenizer`, `sort_key` and `password_file` are not.
    """
    kind = _known_keys.get(name)
    if kind is None:
        words = _words(name)
        kind = _kind_of_words(words) if words else ""
        if len(_known_keys) < 10_000:
            _known_keys[name] = kind
    return kind
