"""A name server that replays a fleet's answers, late, lost, forged or cut off as told; its input's end ends it.

It prints its port, and at the end what it was asked, as JSON.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import select
import socket
import sys
import threading
import time

from check_fleet import Absences, make_check_fleet
from dns_fleet import OPT, Fleet, make_fleet

AWAKE = 0.0003  # seconds; a server that every question had to wake would cost a fast client's time
TRUNCATED = b"\x83\x80\0\1\0\0\0\0\0\1"


class ReplayServer:
    def __init__(self, fleet: Fleet, options: argparse.Namespace) -> None:
        self.fleet = fleet
        self.options = options
        self.absences = Absences(fleet) if options.check else None  # else every question is expected
        self.draw = random.Random(options.seed + 2)
        self.udp, self.tcp = _bound_to_one_port()
        self.stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stranger.bind(("127.0.0.1", 0))
        self.late: list[tuple[float, int, bytes, tuple[str, int]]] = []
        self.rests_at = 0.0  # of the monotonic clock
        self.seen: set[bytes] = set()
        self.counts = {"udp": 0, "tcp": 0, "unknown": 0, "forged": 0, "lost": 0}

    def serve(self) -> None:
        threading.Thread(target=self._serve_tcp, daemon=True).start()
        print(self.udp.getsockname()[1], flush=True)
        while sys.stdin not in (ready := select.select([sys.stdin, self.udp], [], [], self._pause())[0]):
            if ready:
                self._answer_what_came()
                self.rests_at = time.monotonic() + AWAKE
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, wire, client = heapq.heappop(self.late)
                self.udp.sendto(wire, client)
        print(json.dumps(self.counts | {"distinct": len(self.seen)}), flush=True)

    def _pause(self) -> float | None:
        """Give the longest time to sleep for want of questions, in seconds; None for any."""
        now = time.monotonic()
        if now < self.rests_at:
            return 0.0
        return max(0.0, self.late[0][0] - now) if self.late else None

    def _answer_what_came(self) -> None:
        for _ in range(256):
            try:
                query, client = self.udp.recvfrom(4096)
            except BlockingIOError:
                return
            self.counts["udp"] += 1
            wire = self._wire(query)
            if self.options.forged and self.draw.random() < self.options.forged:
                self._forge(query, client)
            if self.options.lost and self.draw.random() < self.options.lost:
                self.counts["lost"] += 1
            elif self.options.delay:
                due = time.monotonic() + self.draw.uniform(0.020, 0.030)
                heapq.heappush(self.late, (due, self.counts["udp"], wire, client))
            else:
                self.udp.sendto(wire, client)

    def _wire(self, query: bytes, over: str = "udp") -> bytes:
        question = query[12 : query.index(b"\0", 12) + 5]
        found = self.fleet.answers.get(question)
        if found is None:
            self.counts["unknown"] += 1
            if self.absences is not None:
                return query[:2] + self.absences.about(question)
            return query[:2] + b"\x81\x85\0\1\0\0\0\0\0\0" + question
        self.seen.add(question)
        if over == "udp" and question in self.fleet.truncated:
            return query[:2] + TRUNCATED + question + OPT
        return query[:2] + found[0] + found[1]

    def _forge(self, query: bytes, client: tuple[str, int]) -> None:
        """Say that there is nothing: with another id, about another name, and from another port."""
        self.counts["forged"] += 1
        question = query[12 : query.index(b"\0", 12) + 5]
        nothing = b"\x81\x83\0\1\0\0\0\0\0\0"
        self.udp.sendto(bytes([query[0] ^ 1]) + query[1:2] + nothing + question, client)
        self.udp.sendto(query[:2] + nothing + b"\x01x" + question, client)
        self.stranger.sendto(query[:2] + nothing + question, client)

    def _serve_tcp(self) -> None:
        while True:
            connection, _ = self.tcp.accept()
            with connection, connection.makefile("rb") as asked:
                query = asked.read(int.from_bytes(asked.read(2)))
                if query:
                    self.counts["tcp"] += 1
                    wire = self._wire(query, "tcp")
                    connection.sendall(len(wire).to_bytes(2) + wire)


def _bound_to_one_port() -> tuple[socket.socket, socket.socket]:
    for _ in range(20):  # the port that is free for TCP may be taken for UDP
        tcp = socket.create_server(("127.0.0.1", 0), backlog=512)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            continue
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        return udp, tcp
    raise SystemExit("no port is free for both")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--domains", type=int, required=True)
    parser.add_argument("--delay", action="store_true", help="20 to 30 ms for each answer")
    parser.add_argument("--check", action="store_true", help="the fleet of the whole check")
    parser.add_argument("--lost", type=float, default=0.0, help="share of answers")
    parser.add_argument(
        "--forged", type=float, default=0.0, help="share of answers with forgeries ahead of them"
    )
    chosen = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    make = (lambda *how: make_check_fleet(*how)[0]) if chosen.check else make_fleet
    ReplayServer(make(chosen.seed, chosen.domains), chosen).serve()
