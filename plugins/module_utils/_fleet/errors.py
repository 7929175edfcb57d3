# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every failure an operator can meet: what failed, on which cloud, why, and what to do next."""
from __future__ import annotations

import dataclasses


class FleetError(Exception):
    """A failure in words for an operator.

    what: the action that failed ("list servers"); why: the cause as the other side told it, without secrets;
    fix: what to do next; code: stable word for programs. transient: trying again may help; retry_after: seconds the
    other side asked to wait.
    """

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        code: str = "error",
        cloud: str | None = None,
        scope: str | None = None,
        transient: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.code = code
        self.cloud = cloud
        self.scope = scope
        self.transient = transient
        self.retry_after = retry_after

    def at(self, cloud: str, scope: str | None = None) -> FleetError:
        """The same failure with the place where it happened filled in (places already known stay)."""
        self.cloud = self.cloud or cloud
        self.scope = self.scope or scope
        return self

    def __str__(self) -> str:
        place = ""
        if self.cloud:
            place = f"cloud '{self.cloud}'" + (f" ({self.scope})" if self.scope else "") + ": "
        text = place + self.what + (f": {self.why}" if self.why else "")
        if self.fix:
            text = text.rstrip(".") + ". " + self.fix
        return text


class FleetFileError(FleetError):
    """The fleet file holds something that cannot be meant; names the place in it."""

    def __init__(self, source: str, place: str, problem: str, fix: str) -> None:
        super().__init__(f"{source}: {place}: {problem}" if place else f"{source}: {problem}", fix=fix, code="fleet_file")


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """One scope of one cloud that could not be read; kept beside the nodes of those that could."""

    cloud: str
    scope: str | None
    error: FleetError


def library_missing(package: str, provider: str, cause: ImportError) -> FleetError:
    """A provider's SDK is not installed in the Python that runs Ansible."""
    import sys

    return FleetError(
        f"the Python library '{package}' is needed for provider {provider}",
        why=str(cause),
        fix=f"Install it into the Python that runs Ansible: {sys.executable} -m pip install {package}",
        code="library_missing",
    )


def defect(what: str, surprise: Exception) -> FleetError:
    """What nobody foresaw, as a failure of one cloud or node, so that it names its place and loses no other."""
    return FleetError(what, why=f"{type(surprise).__name__}: {surprise}", code="defect",
                      fix="This is a defect of the collection; please report it with the output of -vvv.")
