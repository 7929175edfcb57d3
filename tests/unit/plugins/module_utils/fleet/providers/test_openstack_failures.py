# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What OpenStack's services and proxies say when they fail, in words for an operator."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack import failures


class TestMessages:
    """The other side's words, in one line."""

    @pytest.mark.parametrize(("text", "message"), [
        ('{"error": {"code": 401, "title": "Unauthorized", "message": "Wrong password."}}', "Wrong password."),
        ('{"forbidden": {"code": 403, "message": "Not allowed"}}', "Not allowed"),
        ('{"NeutronError": {"type": "X", "message": "No network", "detail": ""}}', "No network"),
        ('{"NeutronError": "plain"}', "plain"),
        ('{"message": "Access denied<br /><br />\\n\\n", "code": "403 Forbidden", "title": "Forbidden"}', "Access denied"),
        ('{"error_message": "{\\"faultcode\\": \\"Client\\", \\"faultstring\\": \\"No field\\"}"}', "No field"),
        ("<html><head><title>502</title><style>a {}</style></head><body>Bad\n <b>Gateway</b></body></html>", "Bad Gateway"),
        ("", ""), ("[1]", ""), ("{}", ""),
        ("x" * 400, "x" * 300 + "..."),
    ])
    def test_message_of(self, text: str, message: str) -> None:
        assert failures.message_of(text) == message

    def test_unreachable_names_no_credentials(self) -> None:
        failure = failures.unreachable("list", "connection to http://user:pw@cloud.example:5000/v3 failed: [Errno 111] Connection refused')")
        assert failure.why == "cloud.example:5000: connection refused"

    @pytest.mark.parametrize(("text", "reason"), [
        ("connecting to https://cloud.example/v3: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1)",
         "cloud.example: TLS failed: certificate verify failed: self-signed certificate"),
        ("connecting to https://cloud.example/v3: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)",
         "cloud.example: TLS failed: WRONG_VERSION_NUMBER"),
    ])
    def test_untrusted(self, text: str, reason: str) -> None:
        assert failures.untrusted("get a token", text).why == reason
