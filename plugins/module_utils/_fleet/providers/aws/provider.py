# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the instances of an AWS account, region by region."""
from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from ...errors import FleetError
from ...shape import NodeEvidence
from ..base import Provider, Run, together
from . import filters, shape, spec, xmltree
from .actions import AwsActions
from .client import Ec2
from .network import Networks
from .operations import IMAGES, INSTANCES, ROUTE_TABLES, SUBNETS, Operation
from .regions import Regions

if TYPE_CHECKING:
    from ...fleet_file import Cloud

PAGE = 1000  # the most that DescribeInstances and DescribeSubnets give
IMAGES_AT_ONCE = 200  # the most values that one request may filter by

_LESS_WITHOUT = {
    SUBNETS: "names of subnets and their blocks against public access are not known",
    ROUTE_TABLES: "whether the internet reaches an address in its subnet is not known",
    IMAGES: "images are known by their ids only, which leaves most login users unknown",
}


class AwsProvider(Provider):
    """One entry of provider aws: an account (or a role in one) and its regions."""

    def __init__(self, cloud: Cloud, run: Run, ec2: Ec2) -> None:
        super().__init__(cloud, run)
        self._ec2 = ec2
        self._regions = Regions(ec2, run)
        self._warned: set[Operation] = set()
        self._lock = threading.Lock()

    def scopes(self) -> Sequence[str]:
        """The regions: those of the fleet file, else the one of environment or profile, else all that are enabled."""
        named = list(dict.fromkeys(self.cloud.options["regions"]))
        if named == [spec.ALL_REGIONS] or not (named or self._ec2.region):
            return self._regions.enabled()
        return named or [str(self._ec2.region)]

    def evidence(self, scope: str) -> Iterator[NodeEvidence]:
        """All instances of one region, page by page; the next page is asked for together with the images of one. Where single
        ones are wanted, nothing is asked that tells of others."""
        wanted = filters.for_instances(self.cloud.filters, self.run.states)
        if wanted is None:
            return
        if not self._ec2.is_known(scope):
            self._regions.check(scope)  # first, as the address of a mistyped region would be tried until time is out
        pages = self._ec2.pages(scope, INSTANCES, {"MaxResults": PAGE, **({"Filters": wanted} if wanted else {})})
        try:
            if self.cloud.filters.single:
                found, _checked = together(lambda: list(pages), lambda: self._regions.check(scope))
                if not any(found):
                    return
                page, pages = found[0], iter(found[1:])
                subnets, tables = together(*self._networks(scope, sorted(set().union(*map(shape.vpcs, found)))))
            else:
                page, subnets, tables, _checked = together(
                    lambda: next(pages), *self._networks(scope, ()), lambda: self._regions.check(scope))
        except FleetError as failure:
            raise self._regions.explain(scope, failure) from None
        networks = Networks(self._accept(scope, SUBNETS, subnets) or (), self._accept(scope, ROUTE_TABLES, tables))
        images: dict[str, shape.Ami] = {}
        asked: set[str] = set()
        shaper = shape.Shaper(scope, networks, images, self.run.extra)
        while page is not None:
            new = sorted(shape.image_ids(page) - asked)
            asked.update(new)
            following, *described = together(lambda: next(pages, None), *self._images(scope, new))
            for answer in described:
                images.update(shape.amis(self._accept(scope, IMAGES, answer) or ()))
            try:
                yield from shaper.nodes(page)
            except ValueError as odd:  # an address that is none
                raise xmltree.bad_answer(INSTANCES.what, f"an instance holds what EC2 never sends ({odd})") from None
            page = following

    def actions(self, scope: str) -> AwsActions:
        return AwsActions(self.cloud, self.run, scope, self._ec2, self._regions)

    def _networks(self, region: str, vpcs: Sequence[str]) -> list[Callable[[], list[Element] | FleetError]]:
        """Calls that describe subnets and route tables, of these VPCs or of all."""
        return [functools.partial(self._try, region, SUBNETS, filters.within({"MaxResults": PAGE}, vpcs)),
                functools.partial(self._try, region, ROUTE_TABLES, filters.within({}, vpcs))]

    def _images(self, region: str, ids: Sequence[str]) -> list[Callable[[], list[Element] | FleetError]]:
        """Calls that describe images. By a filter, as naming an image that is gone would fail for all of them;
        deprecated ones are told only on request."""
        chunks = [ids[start:start + IMAGES_AT_ONCE] for start in range(0, len(ids), IMAGES_AT_ONCE)]
        return [
            functools.partial(self._try, region, IMAGES, {
                "Filters": [{"Name": "image-id", "Values": chunk}], "IncludeDeprecated": True})
            for chunk in chunks
        ]

    def _try(self, region: str, operation: Operation, parameters: Mapping[str, Any]) -> list[Element] | FleetError:
        """All items of a list that instances can do without, or why it may not be read."""
        try:
            return self._ec2.items(region, operation, parameters)
        except FleetError as failure:
            if failure.code in ("denied", "unsupported"):
                return failure
            raise

    def _accept(
        self, region: str, operation: Operation, answer: list[Element] | FleetError
    ) -> list[Element] | None:
        """What _try gave; when that is nothing, None and, once for all regions, a warning of what is lost."""
        if not isinstance(answer, FleetError):
            return answer
        with self._lock:
            first = operation not in self._warned
            self._warned.add(operation)
        if first:
            self.run.warn(
                f"{operation.what} in region {region}: {answer.why.rstrip('.')}. Without it "
                f"{_LESS_WITHOUT[operation]}. Allow ec2:{operation.name} in the IAM policy of these credentials.")
        return None
