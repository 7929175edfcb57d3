# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Credentials and transport by botocore: the only file of the provider that imports it.

botocore finds and refreshes the credentials, resolves endpoints, signs and sends. Its retries are off, as
``retry.Patience`` retries for every provider alike, and its parser sees no answer of EC2 but errors (see ``xmltree``).
"""
from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from ...errors import FleetError
from ...retry import parse_retry_after
from ..base import Run
from . import faults, xmltree
from .operations import Operation
from .partitions import home_of_arn, home_region

MISSING: ImportError | None = None
"""Why nothing here can be used: the library is not installed. Told when a cloud is opened, not when this is imported."""

try:
    from botocore import exceptions
    from botocore.config import Config
    from botocore.loaders import create_loader
    from botocore.parsers import ResponseParserError, ResponseParserFactory
    from botocore.session import Session
except ImportError as missing:
    MISSING = missing

CONNECT_TIMEOUT = 10.0  # seconds
CONNECTIONS = 50  # kept open to one region: as many threads may make nodes at once


class Ec2:
    """EC2 in all regions, by the credentials of one cloud. Safe to be used by several threads.

    options: the provider's own, as in ``spec``. Raises FleetError when no credentials are found or the role cannot be
    assumed.
    """

    def __init__(self, options: Mapping[str, Any], run: Run) -> None:
        self._options = options
        self._run = run
        self._lock = threading.Lock()
        self._renewed = False
        self._access = _Access(options, run)

    @property
    def region(self) -> str | None:
        """The region that the environment or the profile names."""
        return self._access.region

    @property
    def home(self) -> str:
        """A region to ask for what concerns the whole account."""
        return self._access.home

    def is_known(self, region: str) -> bool:
        """Whether botocore's own list, which may be older than a region, has it."""
        return self._access.is_known(region)

    def items(
        self, region: str, operation: Operation, parameters: Mapping[str, Any], retries: int | None = None,
    ) -> list[Element]:
        """All items of a list, read to its last page. retries: other than those of the run."""
        return [item for page in self.pages(region, operation, parameters, retries) for item in page]

    def pages(
        self, region: str, operation: Operation, parameters: Mapping[str, Any], retries: int | None = None,
    ) -> Iterator[list[Element]]:
        """The pages of a list; each is asked for when the one before has been taken."""
        patience = self._run.patience
        if retries is not None:
            patience = dataclasses.replace(patience, retries=retries)
        seen: set[str] = set()
        token: str | None = ""
        while token is not None:
            asked = {**parameters, "NextToken": token} if token else parameters
            page, token = patience.run(functools.partial(self._page, region, operation, asked))
            if token in seen:
                raise xmltree.bad_answer(operation.what, "the answer names a next page that was already read")
            yield page
            if token:
                seen.add(token)

    def ask(self, region: str, operation: Operation, parameters: Mapping[str, Any]) -> Element:
        """The answer to one request that may be sent again when it failed in passing: because it changes nothing, or
        because a second one changes nothing more."""
        return self._run.patience.run(functools.partial(self.ask_once, region, operation, parameters))

    def ask_once(self, region: str, operation: Operation, parameters: Mapping[str, Any]) -> Element:
        """The answer to one request, sent once."""
        return xmltree.parse(self._send(region, operation, parameters), operation.what)

    def _page(
        self, region: str, operation: Operation, parameters: Mapping[str, Any]
    ) -> tuple[list[Element], str | None]:
        root = self.ask_once(region, operation, parameters)
        return xmltree.rows(root, operation.items, operation.what), root.findtext("nextToken") or None

    def _send(self, region: str, operation: Operation, parameters: Mapping[str, Any]) -> bytes:
        """The body of the answer to one request; credentials that have expired are renewed once."""
        access = self._access
        try:
            return access.send(region, operation, parameters)
        except faults.CredentialsExpired:
            if not self._renew(access):
                raise
        return self._access.send(region, operation, parameters)

    def _renew(self, expired: _Access) -> bool:
        """Find credentials anew, once for all threads; whether there are others than the expired ones to try."""
        with self._lock:
            if self._access is not expired:
                return True
            if self._renewed:
                return False
            self._renewed = True
            self._access = _Access(self._options, self._run)
            return True


@functools.cache
def _loader(data_path: str | None) -> Any:
    """One loader for all sessions: EC2's model takes 24 MiB and 50 ms, which ten accounts need not pay ten times."""
    return create_loader(data_path)


class _Access:
    """One botocore session with its credentials, and a client for each region (7 ms each)."""

    def __init__(self, options: Mapping[str, Any], run: Run) -> None:
        self._endpoint = options["endpoint_url"]
        self._run = run
        self._lock = threading.Lock()  # a session, unlike a client, is not safe for threads
        self._clients: dict[str, Any] = {}
        self._keys: dict[str, str] = {}
        with _in_words("find AWS credentials", "", ""):
            self._session = Session(profile=options["profile"])
            self._session.register_component("response_parser_factory", _Parsers())
            self._session.register_component("data_loader", _loader(self._session.get_config_variable("data_path")))
            self.region: str | None = (
                run.environ.get("AWS_REGION") or run.environ.get("AWS_DEFAULT_REGION")
                or self._session.get_config_variable("region"))
            if self._session.get_credentials() is None:
                raise exceptions.NoCredentialsError
        role = options["assume_role"]
        self.home = self.region or (home_of_arn(role["arn"]) if role else home_region(None))
        if role:
            self._keys = self._assume(role)

    def send(self, region: str, operation: Operation, parameters: Mapping[str, Any]) -> bytes:
        """The body of the answer to one request."""
        client = self._client(region)
        self._run.patience.request_timeout()  # raises when no time is left
        with _in_words(operation.what, f"ec2:{operation.name}", region):
            body: bytes = getattr(client, operation.method)(**parameters).get(_BODY, b"")
        return body

    def is_known(self, region: str) -> bool:
        with self._lock:
            return any(
                region in self._session.get_available_regions("ec2", partition)
                for partition in self._session.get_available_partitions())

    def _client(self, region: str) -> Any:
        with self._lock:
            client = self._clients.get(region)
            if client is None:
                client = self._clients[region] = self._new_client("ec2", region)
        return client

    def _new_client(self, service: str, region: str) -> Any:
        seconds = self._run.patience.request_timeout()
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"}, user_agent_extra="hybridops-fleet",
            max_pool_connections=CONNECTIONS,
            connect_timeout=min(CONNECT_TIMEOUT, seconds), read_timeout=seconds)
        with _in_words(f"connect to {service.upper()} in region {region}", "", region):
            return self._session.create_client(
                service, region_name=region, endpoint_url=self._endpoint, config=config, **self._keys)

    def _assume(self, role: Mapping[str, Any]) -> dict[str, str]:
        """Keys of the role, as create_client takes them."""
        arn = role["arn"]
        what = f"assume role {arn}"
        client = self._new_client("sts", self.home)
        given = {
            "RoleArn": arn, "RoleSessionName": role["session_name"],
            "ExternalId": role["external_id"], "DurationSeconds": role["duration"],
        }
        parameters = {name: value for name, value in given.items() if value}

        def ask() -> dict[str, str]:
            self._run.patience.request_timeout()
            with _in_words(what, "sts:AssumeRole", self.home):
                keys = client.assume_role(**parameters).get("Credentials") or {}
            try:
                return {
                    "aws_access_key_id": keys["AccessKeyId"],
                    "aws_secret_access_key": keys["SecretAccessKey"],
                    "aws_session_token": keys["SessionToken"],
                }
            except KeyError:
                raise xmltree.bad_answer(what, "the answer holds no credentials") from None

        try:
            return self._run.patience.run(ask)
        except FleetError as failure:
            if failure.code == "denied":
                failure.fix = (
                    "Check that these credentials may call sts:AssumeRole on the role, that its trust policy accepts "
                    "them, and that 'external_id' is the one that it asks for.")
            raise


@contextlib.contextmanager
def _in_words(what: str, action: str, region: str) -> Iterator[None]:
    """Raise what goes wrong inside botocore as FleetError. what: the action in plain words; action: its IAM name."""
    try:
        yield
    except exceptions.ClientError as error:
        raise _from_answer(error, what, action, region) from None
    except (exceptions.BotoCoreError, ResponseParserError, ValueError) as error:
        raise _from_botocore(error, what) from None


def _from_answer(error: exceptions.ClientError, what: str, action: str, region: str) -> FleetError:
    told, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    if action.rpartition(":")[2] != error.operation_name:  # a call that botocore made to get credentials
        what, action = f"get AWS credentials ({error.operation_name})", error.operation_name
    return faults.from_answer(
        what, action, region, str(told.get("Code", "")), told.get("Message") or "", metadata.get("HTTPStatusCode", 0),
        parse_retry_after(metadata.get("HTTPHeaders", {}).get("retry-after")))


_LOST_CREDENTIALS = frozenset({  # by name: some are newer than the oldest botocore that serves
    "CredentialRetrievalError", "LoginError", "MetadataRetrievalError", "RefreshWithMFAUnsupportedError", "SSOError",
    "TokenRetrievalError",
})


def _from_botocore(error: Exception, what: str) -> FleetError:
    why = faults.one_line(str(error))
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound)):
        return FleetError(
            what, why=why, code="credential_missing",
            fix="Set 'profile' (or AWS_PROFILE) to a profile of ~/.aws/config, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY.")
    if any(kind.__name__ in _LOST_CREDENTIALS for kind in type(error).__mro__):
        return FleetError(
            what, why=why, code="auth",
            fix="Log in again (aws sso login --profile <profile>), or correct the profile in ~/.aws/config.")
    if isinstance(error, exceptions.SSLError):
        return FleetError(
            what, why=why, code="tls",
            fix="Set AWS_CA_BUNDLE to the certificates of the authority that the endpoint or proxy uses.")
    if isinstance(error, (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)):
        return FleetError(
            what, why=why, code="timeout", transient=True,
            fix="Check that the endpoint is reachable from here, or raise 'timeout'.")
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)):
        return FleetError(
            what, why=why, code="unreachable", transient=True,
            fix="Check the region's name, 'endpoint_url', the network and the proxy.")
    if isinstance(error, ResponseParserError):
        return xmltree.bad_answer(what, "the answer is not what AWS sends")
    return FleetError(what, why=why, code="configuration", fix="Correct the fleet file or the AWS configuration.")


_BODY = "Body"  # key of an answer's body, as _Unread hands it on


class _Parsers:
    """Takes the place of botocore's factory of parsers (component response_parser_factory of a session)."""

    def __init__(self) -> None:
        self._factory = ResponseParserFactory()

    def create_parser(self, protocol_name: str) -> Any:
        parser = self._factory.create_parser(protocol_name)
        return _Unread(parser) if protocol_name == "ec2" else parser


class _Unread:
    """Hands on the body of a successful answer as it is; error answers are botocore's own to parse."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        status = response["status_code"]
        if status < 300:
            return {_BODY: response["body"], "ResponseMetadata": {"HTTPStatusCode": status}}
        try:
            parsed: dict[str, Any] = self._parser.parse(response, shape)
        except ResponseParserError:  # JSON or HTML of something in between; its words are not AWS's
            headers = {name.lower(): value for name, value in response["headers"].items()}
            parsed = {
                "Error": {"Code": str(status), "Message": "the answer is not in EC2's format"},
                "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
            }
        return parsed
