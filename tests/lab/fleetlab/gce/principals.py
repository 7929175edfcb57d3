# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may call: service accounts, users and federated identities, their keys, and the access tokens given to them."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import secrets
import threading
import time
import urllib.parse
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import Json, no_credentials, unauthenticated

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_LIFETIME = 3599  # seconds, as Google answers
_CLOCK_SKEW = 300  # seconds a client's clock may be off
_JWT_LIFETIME = 3600  # longest a signed assertion may be valid
_API_AUDIENCES = ("compute.googleapis.com", "www.googleapis.com")


class GrantError(Exception):
    """A token request that fails, with OAuth's word and sentence."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


@dataclasses.dataclass
class Principal:
    """One identity and what it may do."""

    email: str
    kind: str  # service_account, user, federated
    grants: dict[str, str] = dataclasses.field(default_factory=dict)  # project -> viewer, networkUser or admin
    impersonators: set[str] = dataclasses.field(default_factory=set)  # who may take its tokens
    keys: dict[str, rsa.RSAPublicKey] = dataclasses.field(default_factory=dict)  # key id -> key
    secrets: set[str] = dataclasses.field(
        default_factory=set
    )  # refresh tokens of a user, subject tokens of a federated identity

    def may(self, project: str, only_reads: bool) -> bool:
        return self.grants.get(project) in (("viewer", "admin") if only_reads else ("admin",))


@dataclasses.dataclass(frozen=True)
class Access:
    """A caller who has proved who it is."""

    principal: Principal
    scopes: frozenset[str]


@dataclasses.dataclass(frozen=True)
class _Token:
    access: Access
    expires: float  # time.time()


class Principals:
    """All identities of one emulator. Safe to use from several threads."""

    def __init__(self, base_url: str) -> None:
        """:param base_url: of the emulator; the audience of the assertions it accepts."""
        self.base_url = base_url
        self.token_lifetime = TOKEN_LIFETIME
        self._lock = threading.RLock()
        self._principals: dict[str, Principal] = {}
        self._tokens: dict[str, _Token] = {}
        self._seen_jwts: set[str] = set()
        self._refused_jwts: set[str] = set()

    # -- identities -------------------------------------------------------------------------------------------
    def ensure(self, email: str, kind: str = "service_account") -> Principal:
        with self._lock:
            return self._principals.setdefault(email, Principal(email, kind))

    def find(self, email: str) -> Principal | None:
        return self._principals.get(email)

    def new_key(self, principal: Principal, project: str) -> Json:
        """A key of a service account, as the file Google gives out."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key_id = secrets.token_hex(20)
        principal.keys[key_id] = private.public_key()
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": project,
            "private_key_id": key_id,
            "private_key": pem.decode(),
            "client_email": principal.email,
            "client_id": str(10**20 + secrets.randbelow(10**20)),
            "auth_uri": f"{self.base_url}/o/oauth2/auth",
            "token_uri": f"{self.base_url}/token",
            "universe_domain": "googleapis.com",
        }

    # -- tokens -----------------------------------------------------------------------------------------------
    def issue(self, principal: Principal, scopes: frozenset[str], lifetime: int | None = None) -> tuple[str, int]:
        """A fresh access token and its lifetime in seconds."""
        seconds = min(lifetime or self.token_lifetime, self.token_lifetime)
        token = "ya29.lab-" + secrets.token_urlsafe(40)
        with self._lock:
            self._tokens[token] = _Token(Access(principal, scopes), time.time() + seconds)
        return token, seconds

    def expire(self) -> None:
        """Every token given out so far counts as expired; a self-signed one seen so far is refused once."""
        with self._lock:
            self._tokens.clear()
            self._refused_jwts |= self._seen_jwts
            self._seen_jwts.clear()

    def authenticate(self, authorization: str | None) -> Access:
        """Who sent a request.

        :param authorization: value of its Authorization header.
        :raises ApiError: 401.
        """
        scheme, _space, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise no_credentials()
        with self._lock:
            known = self._tokens.get(token)
        if known is not None:
            if known.expires < time.time():
                raise unauthenticated()
            return known.access
        if token.count(".") == 2 and not token.startswith("ya29."):
            return self._self_signed(token)
        raise unauthenticated()

    def _self_signed(self, token: str) -> Access:
        """A JWT a service account signed for the API itself (AIP-4111): no token endpoint in between."""
        with self._lock:
            if token in self._refused_jwts:
                self._refused_jwts.discard(token)
                raise unauthenticated()
            self._seen_jwts.add(token)
        try:
            principal, claims = self.verify(token)
        except GrantError:
            raise unauthenticated() from None
        host = urllib.parse.urlsplit(str(claims.get("aud", ""))).netloc
        if "scope" in claims:
            return Access(principal, frozenset(str(claims["scope"]).split()))
        if host not in (*_API_AUDIENCES, urllib.parse.urlsplit(self.base_url).netloc):
            raise unauthenticated()
        return Access(principal, frozenset({CLOUD_PLATFORM}))

    def verify(self, assertion: str) -> tuple[Principal, Json]:
        """The service account that signed a JWT, and the JWT's claims.

        :raises GrantError: with Google's words, when the JWT is not right.
        """
        head, body, signature = [*assertion.split("."), "", ""][:3]
        header, claims = _decode_json(head), _decode_json(body)
        if header.get("alg") != "RS256":
            raise GrantError("invalid_grant", "Invalid JWT: the algorithm must be RS256.")
        principal = self._principals.get(str(claims.get("iss")))
        if principal is None or principal.kind != "service_account":
            raise GrantError("invalid_grant", "Invalid grant: account not found")
        # libcloud signs without a key id: then any key of the account will do
        keys = (
            [principal.keys[header["kid"]]]
            if header.get("kid") in principal.keys
            else []
            if header.get("kid")
            else list(principal.keys.values())
        )
        if not any(_is_signed(key, f"{head}.{body}".encode(), signature) for key in keys):
            raise GrantError("invalid_grant", "Invalid JWT Signature.")
        now, issued, expires = time.time(), _number(claims.get("iat")), _number(claims.get("exp"))
        if not issued <= now + _CLOCK_SKEW or not now - _CLOCK_SKEW < expires or expires - issued > _JWT_LIFETIME:
            raise GrantError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )
        return principal, claims

    def with_secret(self, secret: str) -> Principal | None:
        """The user a refresh token belongs to, or the federated identity of a subject token."""
        with self._lock:
            return next((known for known in self._principals.values() if secret in known.secrets), None)


def _decode_json(part: str) -> Json:
    try:
        value: Any = json.loads(_decode(part))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise GrantError("invalid_grant", "Bad Request")
    return value


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_signed(key: rsa.RSAPublicKey, message: bytes, signature: str) -> bool:
    try:
        key.verify(_decode(signature), message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise GrantError("invalid_grant", "Invalid JWT: iat and exp must be numbers.")
    return float(value)
