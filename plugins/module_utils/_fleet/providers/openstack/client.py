# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Authentication and transport for OpenStack: clouds.yaml, one token per credential, JSON pages. The only file that
imports the SDK.

openstacksdk reads the configuration and keystoneauth1 talks; the SDK's resource objects are left alone, they cost some
200 times the JSON they are made of. Retrying is ours alone (``Patience``), so theirs is switched off.
"""
from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from ...errors import FleetError, library_missing
from ...retry import Patience
from ..base import Run
from .clouds_yaml import Found, choose
from .failures import bad_answer, from_answer, unreachable, untrusted
from .region import Region

_MISSING: ImportError | None = None

try:
    import requests
    import yaml
    from keystoneauth1 import exceptions as refusals
    from keystoneauth1.access.access import AccessInfo
    from keystoneauth1.identity.base import BaseIdentityPlugin
    from keystoneauth1.session import Session as KeystoneSession
    from openstack.config import cloud_region
    from openstack.config.loader import OpenStackConfig
    from openstack.exceptions import ConfigException
except ImportError as missing:
    _MISSING = missing
    KeystoneSession = OpenStackConfig = object

T = TypeVar("T")

_CREDENTIAL = ("auth_type", "auth", "verify", "insecure", "cacert", "cert", "key")
"""Settings that may differ between regions; those with equal ones share a session and its token."""

logging.getLogger("keystoneauth").addHandler(logging.NullHandler())  # else Python prints its warnings to stderr


class _Config(OpenStackConfig):
    """clouds.yaml as openstacksdk reads it, except for two things it loses on the way."""

    def magic_fixes(self, config: dict[str, Any]) -> dict[str, Any]:
        """Keep the networks as the operator wrote them: the SDK turns flags left out into false."""
        written = copy.deepcopy(config.get("networks") or [])
        written += [
            {"name": config[key], "routes_externally": key == "external_network"}  # older spelling
            for key in ("external_network", "internal_network") if config.get(key)
        ]
        fixed: dict[str, Any] = super().magic_fixes(config)
        fixed["written_networks"] = written
        return fixed

    def use_regions(self, cloud: str, names: Sequence[str]) -> list[str]:
        """Regions to read: names, else those of clouds.yaml or the vendor's profile, else none.

        Settings of a region in a vendor's profile count also when clouds.yaml names the region itself (the SDK drops
        them then), and a region that clouds.yaml does not list is no error: the catalogue decides.
        """
        entry = self.cloud_config["clouds"][cloud]
        known = {region["name"]: region for region in self._get_regions(cloud) if region["name"]}
        chosen = list(dict.fromkeys(names)) or list(known)
        profile: dict[str, Any] = {}
        self._expand_vendor_profile(cloud, profile, entry)
        vendor = {region["name"]: region for region in self._expand_regions(profile.get("regions") or [])}
        if chosen:
            bare: dict[str, Any] = {"values": {}}
            entry["regions"] = [
                {"name": name, "values": (known.get(name, bare)["values"] or vendor.get(name, bare)["values"])}
                for name in chosen
            ]
        return chosen


class _Session(KeystoneSession):
    """A session whose every request, also for tokens and versions, has a timeout and is tried once; threads that find
    the token expired at the same time get one new token between them."""

    patience: Patience

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent = threading.local()
        self._replacing = threading.Lock()

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        allowed = self.patience.request_timeout()
        limit = self.timeout  # api_timeout of clouds.yaml, seconds
        kwargs["timeout"] = min(allowed, float(limit)) if limit else allowed
        kwargs["connect_retries"] = kwargs["status_code_retries"] = 0
        answer: requests.Response = super().request(*args, **kwargs)
        return answer

    def get_auth_headers(self, *args: Any, **kwargs: Any) -> dict[str, str] | None:
        headers: dict[str, str] | None = super().get_auth_headers(*args, **kwargs)
        self._sent.headers = headers
        return headers

    def invalidate(self, *args: Any, **kwargs: Any) -> bool:
        """Drop the token after a 401, unless another thread has replaced it since this one sent it."""
        with self._replacing:
            if super().get_auth_headers() != self._sent.headers:
                return True
            return bool(super().invalidate(*args, **kwargs))


class Account:
    """One cloud of clouds.yaml with its credential; thread-safe."""

    def __init__(self, name: str, source: str, config: _Config, regions: Sequence[str], run: Run) -> None:
        self.name = name
        self.source = source
        self.run = run
        self._config = config
        self._regions = list(regions)
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    @classmethod
    def open(cls, name: str | None, regions: Sequence[str], run: Run) -> Account:
        """The cloud of clouds.yaml of that name; without a name the one the environment or the file means.

        Raises FleetError (credential_missing) when there is none or it is not clear which.
        """
        _check_named_file()
        config = _load()
        found = _found(config)
        chosen = choose(name, found)
        source = "the OS_* environment variables" if chosen == found.variables else f"cloud '{chosen}' of {found.file}"

        def use() -> list[str]:
            with _settings_in_words(source):  # the profile of some vendors is fetched from them
                return config.use_regions(chosen, regions)

        return cls(chosen, source, config, run.patience.run(use), run)

    def regions(self) -> list[str]:
        """Names of the regions to read; those of the catalogue when nobody names any. Gets the token."""
        if self._regions:
            self.region(self._regions[0]).access.authenticate()
            return self._regions
        anywhere = self.region("").access
        anywhere.authenticate()
        return anywhere.regions() or [""]

    def region(self, name: str) -> Region:
        """One region; "" for a cloud without catalogue or regions."""
        with self._lock, _settings_in_words(self.source):
            settings = self._config.get_one(self.name, **({"region_name": name} if name else {}))
            key = json.dumps(
                [settings.config.get(part) for part in _CREDENTIAL], default=str, sort_keys=True)
            session = self._sessions.get(key)
            if session is None:
                session = self._sessions[key] = settings.get_session()  # a _Session: _Config says so to the SDK
                session.patience = self.run.patience
        return Region(name, Access(name, self.source, settings, session, self.run.patience))


class Access:
    """What the SDK does for one region: token, catalogue, requests; every failure comes out as a FleetError."""

    def __init__(
        self, region: str, source: str, settings: cloud_region.CloudRegion, session: _Session, patience: Patience
    ) -> None:
        """source: where the credentials come from, for errors."""
        self.source = source
        self.patience = patience
        self._region = region
        self._settings = settings
        self._session = session

    @property
    def written_networks(self) -> list[Mapping[str, Any]]:
        """The networks of clouds.yaml, as written there."""
        return list(self._settings.config.get("written_networks") or [])

    def authenticate(self) -> None:
        """Get the token now, so that a refused credential shows before anything else."""
        self._attempt("get a token", self._session.get_token)

    def project(self) -> tuple[str | None, str | None]:
        """Id and name of the project the token is for; None when it is for none."""
        token = self._token()
        return (token.project_id, token.project_name) if token else (None, None)

    def regions(self) -> list[str]:
        """Regions in which the catalogue has a compute service; empty when there is no catalogue."""
        token = self._token()
        if token is None:
            return []
        points = token.service_catalog.get_endpoints_data(
            service_type=self._settings.get_service_type("compute"), interface=self._settings.get_interface("compute"))
        return sorted({point.region_name for group in points.values() for point in group if point.region_name})

    def allows(self, service: str) -> bool:
        """Whether clouds.yaml does not rule a service out (has_network: false and the like)."""
        return str(self._settings.config.get(f"has_{service.replace('-', '_')}", True)).lower() != "false"

    def address(self, service: str) -> str | None:
        """Address of a service as clouds.yaml overrides it or the catalogue has it; None when there is none."""
        settings = self._settings
        override: str | None = settings.get_endpoint(service)
        if override:
            project = self.project()[0] if "%(" in override else None
            return override % {"project_id": project, "tenant_id": project} if project else override

        def look_up() -> str | None:
            try:
                found: str | None = self._session.get_endpoint(
                    service_type=settings.get_service_type(service), service_name=settings.get_service_name(service),
                    interface=settings.get_interface(service), region_name=self._region or None)
            except refusals.EndpointNotFound:
                return None
            return found

        return self._attempt(f"find the {service} service", look_up)

    def fetch(
        self, url: str, params: Mapping[str, Any] | None, headers: Mapping[str, str], what: str,
        *, method: str = "GET", body: Any = None,
    ) -> requests.Response:
        """One request, tried once, whatever its status; a token that has expired is replaced on the way. body: sent as
        JSON."""
        sent = {} if body is None else {"json": body}
        with _in_words(what, self.source):
            answer: requests.Response = self._session.request(
                url, method, params=params, headers=dict(headers), raise_exc=False, **sent)
            return answer

    def _token(self) -> AccessInfo | None:
        """The token with its project and catalogue; None for a way of authentication without them."""
        auth = self._session.auth
        if not isinstance(auth, BaseIdentityPlugin):
            return None
        return self._attempt("get a token", lambda: auth.get_access(self._session))

    def _attempt(self, what: str, action: Callable[[], T]) -> T:
        def once() -> T:
            with _in_words(what, self.source):
                return action()

        return self.patience.run(once)


class BareMetal:
    """Ironic of one cloud, for provider metal."""

    def __init__(self, region: Region) -> None:
        self._region = region

    _NEWEST: ClassVar = {"X-OpenStack-Ironic-API-Version": "latest"}  # the fields asked for, not the version, say what comes

    def pages(self, path: str, key: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """All records of a collection ("/nodes", "nodes"), to its last page. Raises FleetError."""
        for page in self._region.pages("baremetal", path, key, params, what=f"list {key} of Ironic", headers=self._NEWEST):
            yield from page

    def send(self, method: str, path: str, body: Any = None, *, what: str, ok: tuple[int, ...] = ()) -> tuple[int, dict[str, Any]]:
        """One request that changes something, or GET; the status with the JSON object that came ({} for none).

        body: an object, or the list of a JSON patch. ok: error statuses that the caller looks at itself; others raise
        FleetError. Passing failures are tried again, except those of a POST that may have been carried out (AnswerLost).
        """
        return self._region.send(method, "baremetal", path, body, what=what, ok=ok, headers=self._NEWEST)


def open_bare_metal(cloud: str | None, run: Run) -> BareMetal:
    """The bare metal service of a cloud of clouds.yaml (also one without Keystone: auth_type none), first region."""
    account = Account.open(cloud, [], run)
    return BareMetal(account.region(account.regions()[0]))


# ------------------------------------------------------------------------------------------------- helpers
def require_sdk(provider: str) -> None:
    """Raises FleetError when openstacksdk is not installed. provider: for whom it is needed."""
    if _MISSING:
        raise library_missing("openstacksdk", provider, _MISSING)


def _found(config: _Config) -> Found:
    clouds = config.cloud_config["clouds"]
    variables = config.envvar_key
    in_file = [cloud for cloud, entry in clouds.items() if cloud != variables and entry != config.defaults]
    # any OS_ variable makes the SDK invent a cloud of that name; it is one only when it tells where to go
    entry = clouds.get(variables, {})
    usable = "auth_url" in entry or "endpoint" in entry or any(key.endswith("_endpoint_override") for key in entry)
    return Found(
        file=config.config_filename or config.secure_config_filename, clouds=in_file,
        variables=variables if usable else None, os_cloud=os.environ.get("OS_CLOUD"))


def _check_named_file() -> None:
    """The SDK passes over a file that OS_CLIENT_CONFIG_FILE names but that is not there, and takes another one."""
    path = os.environ.get("OS_CLIENT_CONFIG_FILE")
    if path and not os.path.exists(path):
        raise FleetError(
            "find the credentials", why=f"OS_CLIENT_CONFIG_FILE names {path}, which does not exist",
            fix="Correct the variable or make the file.", code="credential_missing")


class _SkippedFiles(logging.Handler):
    """Settings files that are no valid YAML: newer openstacksdk only logs them and takes the next file, which may well
    be of another account."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.paths: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Skipping config file") and isinstance(record.args, tuple):
            self.paths.append(str(record.args[0]))


def _load() -> _Config:
    skipped = _SkippedFiles()
    log = logging.getLogger("openstack.config")
    log.addHandler(skipped)
    try:
        with _settings_in_words("clouds.yaml"):
            config = _Config(session_constructor=_Session)
    finally:
        log.removeHandler(skipped)
    if skipped.paths:
        raise _not_yaml(skipped.paths[0])
    return config


def _not_yaml(path: str) -> FleetError:
    return _unusable("read clouds.yaml", f"{path} is not valid YAML", path)


@contextlib.contextmanager
def _in_words(what: str, source: str) -> Iterator[None]:
    """Every failure of SDK and transport as a FleetError. source: where the credentials come from."""
    try:
        yield
    except FleetError:
        raise
    except (refusals.ClientException, requests.RequestException, ConfigException) as cause:
        raise _translate(what, cause, source) from cause
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        # the libraries do not check what services answer
        raise bad_answer(what, f"the answer is malformed ({type(cause).__name__})") from cause


@contextlib.contextmanager
def _settings_in_words(source: str) -> Iterator[None]:
    """The same for reading the settings; here a missing or misshapen part is the file's fault."""
    what = "read clouds.yaml"
    try:
        yield
    except (refusals.ClientException, requests.RequestException, ConfigException) as cause:
        raise _translate(what, cause, source) from cause
    except yaml.YAMLError as cause:  # its text may quote the file
        mark = getattr(cause, "problem_mark", None)
        raise _not_yaml(mark.name if mark else source) from None
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise _unusable(what, f"{source} is malformed ({type(cause).__name__})", source) from cause


def _translate(what: str, cause: BaseException, source: str) -> FleetError:
    text = str(cause)
    if isinstance(cause, (refusals.SSLError, requests.exceptions.SSLError)):
        return untrusted(what, text)
    if isinstance(cause, (refusals.ConnectionError, requests.RequestException)):
        return unreachable(what, text)
    if isinstance(cause, refusals.HttpError):
        answer = cause.response
        failure = from_answer(
            what, cause.http_status, answer.reason if answer is not None else "",
            answer.headers if answer is not None else {}, answer.text if answer is not None else str(cause.message))
        # only Keystone's refusals come as exceptions: requests to other services look at the answer themselves
        if failure.code == "auth":
            failure.fix = f"Check user, password or application credential in {source}, and that it has not expired."
        elif failure.code == "not_found":
            failure.fix = f"Check auth_url in {source}."
        return failure
    if isinstance(cause, refusals.DiscoveryFailure) and cause.__context__ is not None:
        return _translate(what, cause.__context__, source)  # what really happened at auth_url
    if isinstance(cause, refusals.InvalidResponse):
        return bad_answer(what, "the answer holds no token")
    return _unusable(what, " ".join(text.split()) or type(cause).__name__, source)


def _unusable(what: str, why: str, source: str) -> FleetError:
    return FleetError(what, why=why, fix=f"Correct {source}.", code="credential_missing")
