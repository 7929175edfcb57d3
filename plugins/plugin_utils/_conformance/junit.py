# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as JUnit XML, as CI systems read it: a suite for each cloud, a case for each check. Pure.

A NO where the yardstick says YES is a failure, a question that could not be asked an error, one without meaning is skipped. All
other answers pass, with their evidence as output.
"""
from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from .checks import ERROR, NONE, Finding, worse
from .report import CloudReport, Report, label

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(report: Report) -> str:
    suites = [_suite(report, cloud) for cloud in report.clouds]
    counts = [_counts(report, cloud) for cloud in report.clouds]
    tests, failures, errors, skipped = (sum(row[number] for row in counts) for number in range(4))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name={_attribute(f"conformance of {report.fleet}")} tests="{tests}" failures="{failures}" errors="{errors}" '
        f'skipped="{skipped}" time="{report.seconds:.3f}">\n{"".join(suites)}</testsuites>\n')


def _suite(report: Report, cloud: CloudReport) -> str:
    tests, failures, errors, skipped = _counts(report, cloud)
    properties = {"provider": cloud.provider, "scope": cloud.scope, "run": report.run, "yardstick": report.yardstick_words}
    told = "".join(f"    <property name={_attribute(name)} value={_attribute(value)}/>\n" for name, value in properties.items())
    cases = "".join(_case(report, cloud, finding) for finding in cloud.findings)
    left = f"  <system-err>{_text('left behind: ' + '; '.join(cloud.left))}</system-err>\n" if cloud.left else ""
    return (
        f'<testsuite name={_attribute(f"conformance.{cloud.name}")} tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" '
        f'time="{cloud.seconds:.3f}" timestamp={_attribute(report.began.removesuffix("Z"))} hostname={_attribute(cloud.name)}>\n'
        f"  <properties>\n{told}  </properties>\n{cases}{left}</testsuite>\n")


def _counts(report: Report, cloud: CloudReport) -> tuple[int, int, int, int]:
    """Tests, failures, errors, skipped."""
    verdicts = [finding.verdict for finding in cloud.findings]
    failures = sum(worse(finding.verdict, report.reference(finding.check)) for finding in cloud.findings)
    return len(verdicts), failures, verdicts.count(ERROR), verdicts.count(NONE)


def _case(report: Report, cloud: CloudReport, finding: Finding) -> str:
    head = (f'  <testcase classname={_attribute(f"conformance.{cloud.name}")} name={_attribute(label(finding.check))} '
            f'time="{finding.seconds or 0:.3f}"')
    message = _attribute(finding.evidence)
    if finding.verdict == NONE:
        return f"{head}><skipped message={message}/></testcase>\n"
    if finding.verdict == ERROR:
        return f'{head}><error type="ERROR" message={message}>{_text(finding.evidence)}</error></testcase>\n'
    reference = report.reference(finding.check)
    if worse(finding.verdict, reference):
        told = f"{finding.verdict}, the yardstick says {reference}: {finding.evidence}"
        return f'{head}><failure type="{finding.verdict}" message={_attribute(told)}>{_text(told)}</failure></testcase>\n'
    return f"{head}><system-out>{_text(f'{finding.verdict}: {finding.evidence}')}</system-out></testcase>\n"


def _attribute(value: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", value))


def _text(value: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", value))
