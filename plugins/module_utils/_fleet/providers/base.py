# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The contract between the collection and a provider.

A provider is one folder: ``spec.py`` (its options and identity; no SDK), ``client.py`` (authentication and transport;
the only place that imports an SDK) and ``shape.py`` (pure: the cloud's payload -> evidence). It knows nothing of
Ansible and decides nothing: roles, addresses and login users are concluded by ``assemble`` for all providers alike.
"""
from __future__ import annotations

import abc
import copy
import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..options import Option
from ..retry import Patience
from ..shape import NodeEvidence

if TYPE_CHECKING:
    from ..fleet_file import Cloud, Filters
    from .actions import Actions

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What a provider needs while it reads one cloud.

    states: normalised states wanted (a provider may leave others out at the API; they are filtered again afterwards).
    extra: names of fields of the cloud's own record to keep in ``NodeEvidence.extra``. base_dir: folder of the fleet
    file, against which relative paths in it are resolved. warn: tell the operator; note: tell with -vv.
    """

    patience: Patience
    states: frozenset[str]
    extra: tuple[str, ...] = ()
    base_dir: str = "."
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    warn: Callable[[str], None] = lambda text: None
    note: Callable[[str], None] = lambda text: None


class Provider(abc.ABC):
    """One cloud of the fleet file, opened. Methods raise FleetError, with ``transient`` retries already done."""

    spans_scopes = False
    """Whether ``actions("")`` acts on all scopes together; then that is what no scope means."""

    def __init__(self, cloud: Cloud, run: Run) -> None:
        self.cloud = cloud
        self.run = run

    def asking(self, filters: Filters) -> Provider:
        """The same cloud with the same login, to be asked for the nodes that pass these filters instead of its own."""
        other = copy.copy(self)
        other.cloud = dataclasses.replace(self.cloud, filters=filters)
        other.run = dataclasses.replace(self.run, states=frozenset(filters.states))
        return other

    @abc.abstractmethod
    def scopes(self) -> Sequence[str]:
        """The parts that are read independently and concurrently: regions, projects, sources. May ask the API."""

    @abc.abstractmethod
    def evidence(self, scope: str) -> Iterable[NodeEvidence]:
        """All nodes of one scope, read to the last page. Called from several threads, one scope each.

        A short or malformed answer is an error, never fewer nodes.
        """

    @abc.abstractmethod
    def actions(self, scope: str) -> Actions:
        """What can be done in that scope, with the same credentials. Asks nothing yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProviderSpec:
    """What is known of a provider without its SDK.

    identity: strings on which the answer of a cloud depends beyond its options: names of profiles and clouds from the
    environment, digests of credential files (relative ones start at base_dir, the folder of the fleet file). They key
    the cache; no API call, no SDK import. open: imports the SDK. load: imports what
    opening a cloud with these options needs beside ``client.py``; what it raises, open raises again and names the cloud.
    """

    name: str
    options: tuple[Option, ...]
    identity: Callable[[Mapping[str, Any], Mapping[str, str], str], Sequence[str]]
    open: Callable[[Cloud, Run], Provider]
    load: Callable[[Mapping[str, Any]], None] = lambda options: None


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Results of calls that wait for the network, made at the same time; the first failure is raised.

    Daemon threads, so that a hanging connection never keeps the process alive after its deadline.
    """
    results: list[Any] = [None] * len(calls)
    failures: list[BaseException] = []

    def work(number: int, call: Callable[[], Any]) -> None:
        try:
            results[number] = call()
        except BaseException as failure:  # handed to the caller below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(calls[1:], start=1)]
    for thread in threads:
        thread.start()
    work(0, calls[0])
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results
