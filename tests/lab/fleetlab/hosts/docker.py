# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker in a host, with a container that serves a page on a published port: what hardening must leave alone."""

from __future__ import annotations

SCRIPT = """
set -e
apt-get -qq update
apt-get install -y -qq --no-install-recommends docker.io $(apt-cache show docker-cli >/dev/null 2>&1 && echo docker-cli) busybox-static >/dev/null
systemctl -q enable --now docker
mkdir -p /tmp/rootfs/bin && cp /bin/busybox /tmp/rootfs/bin/ && ln -sf busybox /tmp/rootfs/bin/sh
echo served >/tmp/rootfs/page
tar -C /tmp/rootfs -c . | docker import - web >/dev/null
docker run -d --name web --restart always -p 8080:80 web /bin/busybox httpd -f -p 80 -h / >/dev/null
rm -rf /tmp/rootfs
"""
"""For root in the host. http://<host>:8080/page says "served" afterwards."""
