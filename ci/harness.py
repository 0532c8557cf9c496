#!/usr/bin/env python3
"""Starts programs for the checks and ends them again, on loopback only.

A Program writes to a log file, is waited for by what it serves, and is gone
after its `with` block whatever happened inside: it and all its children are
in a process group of their own, which gets SIGTERM and then SIGKILL. CI being
interrupted counts as leaving the block.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

END_SECONDS = 10
START_SECONDS = 30


def fail(text):
    """Ends the check with a reason."""
    sys.exit(f"{os.path.basename(sys.argv[0])}: {text}")


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class Program:
    """A child process in its own group, with its output in two files.

    `how` goes to Popen: user, group, cwd and the like.
    """

    def __init__(self, name, command, folder, **how):
        self.name = name
        self.out_path = os.path.join(folder, f"{name}.out")
        self.log_path = os.path.join(folder, f"{name}.log")
        with open(self.out_path, "wb") as out, open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                **how,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGTERM)

    def alive(self):
        return self.process.poll() is None

    def end(self, sign):
        """Signals the group and waits; returns the exit status."""
        if self.alive():
            self._signal(sign)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        self._signal(signal.SIGKILL)
        return self.process.wait()

    def _signal(self, sign):
        try:
            os.killpg(self.process.pid, sign)
        except ProcessLookupError:
            pass

    def out(self):
        return open(self.out_path, encoding="utf-8", errors="replace").read()

    def log(self):
        return open(self.log_path, encoding="utf-8", errors="replace").read()

    def fail(self, text):
        """Ends the check, showing the last lines of the log."""
        tail = "\n".join(self.log().splitlines()[-40:])
        fail(f"{text}\n--- log of {self.name} ---\n{tail}")


class Pool(Program):
    """`adit serve` on free ports, ready when the `with` block begins."""

    def __init__(self, adit, folder, *flags, **how):
        self.stratum_port, self.http_port = free_ports(2)
        command = [
            *([adit] if isinstance(adit, str) else adit),
            "serve",
            "--v1", f"127.0.0.1:{self.stratum_port}",
            "--http", f"127.0.0.1:{self.http_port}",
            *flags,
        ]
        super().__init__("adit-serve", command, folder, **how)

    def __enter__(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            if not self.alive():
                self.fail(f"adit serve exited with {self.process.returncode}")
            if time.monotonic() > deadline:
                self.end(signal.SIGTERM)
                self.fail(f"adit serve was not healthy within {START_SECONDS} s")
            time.sleep(0.1)
        return self

    def url(self, path):
        return f"http://127.0.0.1:{self.http_port}{path}"

    def healthy(self):
        try:
            with urllib.request.urlopen(self.url("/healthz"), timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path):
        """The JSON at a path of the API."""
        try:
            with urllib.request.urlopen(self.url(path), timeout=5) as reply:
                return json.load(reply)
        except (urllib.error.URLError, OSError, ValueError) as error:
            self.fail(f"GET {path}: {error}")


def stop_on_signals():
    """Lets `with` blocks end their programs when CI is interrupted."""
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda number, _: sys.exit(128 + number))


# No proxy stands between a test and its own server.
urllib.request.install_opener(
    urllib.request.build_opener(urllib.request.ProxyHandler({}))
)
