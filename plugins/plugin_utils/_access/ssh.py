# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ssh client at work: fresh connections, each bounded, each with one key. The only module here that starts ssh."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from . import answers, arguments, known_hosts, route
from .answers import Answer

DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")
_KEEP = 1 << 20  # bytes of output that are kept


@dataclasses.dataclass(slots=True)
class Done:
    """A process that came to an end. timed_out: seconds after which it was ended, None when it ended by itself."""

    code: int
    out: str
    err: str
    timed_out: float | None = None


def run(words: Sequence[str], *, data: bytes = b"", timeout: float, enough: Callable[[str], bool] | None = None) -> Done:
    """Run a program with data on its standard input; it and its children are ended after timeout seconds, or when
    ``enough`` says so of its standard output."""
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}
    with subprocess.Popen(list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                          start_new_session=True) as process:
        try:
            return _converse(process, data, time.monotonic() + timeout, timeout, enough)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def _converse(
    process: subprocess.Popen[bytes], data: bytes, end: float, timeout: float, enough: Callable[[str], bool] | None
) -> Done:
    if not process.stdin or not process.stdout or not process.stderr:
        raise AssertionError("process.stdin is known here")
    texts = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as waiting:
        for stream, text in texts.items():
            waiting.register(stream, selectors.EVENT_READ, text)
        if data:
            os.set_blocking(process.stdin.fileno(), False)
            waiting.register(process.stdin, selectors.EVENT_WRITE)
        else:
            process.stdin.close()
        rest = memoryview(data)
        expired: float | None = None
        while waiting.get_map():
            # a child that outlives ssh may hold its streams open; ssh's own end is what counts
            if process.poll() is not None and not waiting.select(0.2):
                break
            left = end - time.monotonic()
            if left <= 0:
                expired = timeout
                break
            for key, _events in waiting.select(min(left, 1.0)):
                if key.fileobj is process.stdin:
                    rest = _write(process, waiting, rest)
                    continue
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    waiting.unregister(key.fileobj)
                elif len(key.data) < _KEEP:
                    key.data.extend(chunk)
            if enough and enough(texts[process.stdout].decode(errors="replace")):
                break
    if expired is None and not enough:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, end - time.monotonic()))
    code = process.poll()
    out, err = (bytes(texts[stream]).decode(errors="replace") for stream in (process.stdout, process.stderr))
    return Done(-1 if code is None else code, out, err, expired)


def _write(process: subprocess.Popen[bytes], waiting: selectors.BaseSelector, rest: memoryview) -> memoryview:
    if not process.stdin:
        raise AssertionError("process.stdin is known here")
    try:
        rest = rest[os.write(process.stdin.fileno(), rest[:65536]):]
    except BlockingIOError:
        return rest
    except OSError:  # ssh went away; its own words say why
        rest = rest[:0]
    if not rest:
        waiting.unregister(process.stdin)
        with contextlib.suppress(OSError):
            process.stdin.close()
    return rest


def resolve(ssh: str, words: Sequence[str], host: str) -> dict[str, str]:
    """What the operator's ssh configuration and arguments say of a host (``ssh -G``). Raises FleetError."""
    try:
        done = run([ssh, "-G", *words, "--", host], timeout=20)
    except OSError as problem:
        raise FleetError("ask the ssh client", why=f"{ssh}: {problem.strerror}", code="ssh_client",
                         fix="Install the OpenSSH client on this controller.") from None
    if done.code:
        raise FleetError("ask the ssh client", why=answers.last_words(done.err) or f"ssh -G ended with {done.code}", code="ssh_client",
                         fix="Correct the ssh arguments of the host (ansible_ssh_common_args, ansible_ssh_extra_args) or your ssh configuration.")
    return route.parse_resolved(done.out)


def plan(
    *, ssh: str, host: str, port: int | None, operator: Sequence[str], alias: str | None, known_hosts_file: str, connect_timeout: int,
    hop_keys: Sequence[str],
) -> route.Route:
    """The way to a node. operator: his ssh arguments; hop_keys: private keys that may open bastions, beside his own."""
    clean = arguments.without(operator, arguments.OWN | {"controlpath", "controlmaster"})
    resolved = resolve(ssh, [*clean, *(["-p", str(port)] if port else [])], host)
    try:
        found = route.hops_of(resolved)
    except ValueError as problem:
        raise FleetError("find the way through the bastion", why=f"'{problem}' is no host to jump through", code="argument",
                         fix="Correct the bastion in the fleet file, or ProxyJump in the ssh arguments.") from None
    known = known_hosts.read(known_hosts_file)
    hops = tuple(_hop(hop, ssh, known, hop_keys) for hop in found)
    return route.Route(
        host=host, port=int(resolved.get("port") or port or 22), known_hosts=known_hosts_file, alias=alias, hops=hops, resolved=resolved,
        connect_timeout=connect_timeout, ssh=ssh)


def _hop(hop: route.Hop, ssh: str, known: Sequence[str], hop_keys: Sequence[str]) -> route.Hop:
    """A hop with what the operator's configuration says of it, and whether its host key is known."""
    words = [*(["-p", str(hop.port)] if hop.port else []), *(["-l", hop.user] if hop.user else [])]
    told = resolve(ssh, words, hop.host)
    name = route.name_in_known_hosts(told.get("hostname", hop.host), int(told.get("port", "22")))
    own = [path for path in told.get("identityfile", "").split("\n") if path]
    defaults = {f"~/.ssh/{name}" for name in DEFAULT_IDENTITIES}
    configured = [path for path in own if path not in defaults]
    # naming one key makes ssh forget its defaults, so they are named too
    candidates = [*configured, *hop_keys, *([] if configured else own)]
    identities = tuple(dict.fromkeys(path for path in candidates if os.path.exists(os.path.expanduser(path))))
    return dataclasses.replace(
        hop, identities=identities if set(identities) - set(own) else (), known_as=name,
        known=bool(known_hosts.keys_of(known, name)) or _in_own_file(name))


def _in_own_file(name: str) -> bool:
    """Whether the operator's own known_hosts has the name; it may be hashed there."""
    path = os.path.expanduser("~/.ssh/known_hosts")
    if not os.path.exists(path) or not shutil.which("ssh-keygen"):
        return False
    return subprocess.run(["ssh-keygen", "-F", name, "-f", path], capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


class Client:
    """Fresh connections to one node. Host keys seen for the first time are kept in the fleet's file, each once."""

    def __init__(self, way: route.Route, *, first_use: bool = True) -> None:
        self.way = way
        self.first_use = first_use
        self.learned: list[tuple[str, known_hosts.Key]] = []

    def try_login(self, user: str, key: str | None, *, methods: str = "publickey", remote: str = f"echo {answers.MARKER}") -> Answer:
        """Log in and out again. One connection, one key (or none). remote: what must print answers.MARKER there."""
        done = self._connect(
            user, key, remote, methods=methods, timeout=self.way.connect_timeout * 2 + 15,
            enough=lambda out: answers.redirect(out) is not None)
        return self._judge(user, done)

    def run_script(self, user: str, key: str | None, remote: str, script: str, *, timeout: float, password: str = "") -> tuple[Answer, Done]:
        """Run a script that is sent over the connection. remote: the command that reads a line, the password for sudo or
        nothing, and then the script."""
        done = self._connect(user, key, remote, data=f"{password}\n{script}".encode(), timeout=timeout)
        return self._judge(user, done), done

    def _judge(self, user: str, done: Done) -> Answer:
        host = self.way.resolved.get("hostname", self.way.host)
        answer = answers.judge(done.out, done.err, user=user, host=host, alias=self.way.alias, timed_out=done.timed_out)
        if answer.kind == answers.HOST_KEY:
            self._refuse(answer)
        return answer

    def _connect(
        self, user: str, key: str | None, remote: str, *, data: bytes = b"", methods: str = "publickey", timeout: float,
        enough: Callable[[str], bool] | None = None,
    ) -> Done:
        with self._spare() as spare:
            words = route.command(self.way, user, key, remote, methods=methods, spare=spare)
            try:
                done = run(words, data=data, timeout=timeout, enough=enough)
            except OSError as problem:
                raise FleetError("start the ssh client", why=f"{words[0]}: {problem.strerror}", code="ssh_client",
                                 fix="Install the OpenSSH client on this controller.") from None
            if spare:
                self._learn(known_hosts.read(spare))
        return done

    @contextlib.contextmanager
    def _spare(self) -> Iterator[str | None]:
        """A file for first keys, None when all keys on the way are known."""
        name = route.key_name(self.way)
        node_known = bool(known_hosts.keys_of(known_hosts.read(self.way.known_hosts), name))
        if not self.first_use or (node_known and all(hop.known for hop in self.way.hops)):
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="fleet-ssh-") as folder:
            yield os.path.join(folder, "known_hosts")

    def _learn(self, lines: Sequence[str]) -> None:
        seen = known_hosts.entries(lines)
        if not seen:
            return
        known_hosts.change(self.way.known_hosts, lambda before: known_hosts.merged(before, seen))
        self.learned += seen
        names = {name.lower() for name, _key in seen}
        hops = tuple(dataclasses.replace(hop, known=hop.known or hop.known_as.lower() in names) for hop in self.way.hops)
        self.way = dataclasses.replace(self.way, hops=hops)

    def _refuse(self, answer: Answer) -> None:
        """A host key that is not the one we know ends everything. Raises FleetError."""
        name = answer.user or route.key_name(self.way)
        known = ", ".join(f"{kind} {known_hosts.fingerprint((kind, text))}"
                          for kind, text in known_hosts.keys_of(known_hosts.read(self.way.known_hosts), name)) or "none in the fleet's file"
        shown = " ".join(answer.host_key) if answer.host_key and name == route.key_name(self.way) else "another one"
        raise FleetError(
            f"connect to {self.way.host}", why=f"{answer.text}: known is {known}, it showed {shown}", code="host_key",
            fix="Either another machine answers there, or this one was installed anew. In the second case forget the old key: "
                f"ssh-keygen -R '{name}' -f {self.way.known_hosts}")
