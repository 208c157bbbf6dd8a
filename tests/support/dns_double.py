"""A DNS server on a loopback port, over real UDP: it answers from records that a test sets. No recursion, no cache."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class DnsDouble:
    """Records by name and kind; a name without any is NXDOMAIN. `failing` names get SERVFAIL, `silent` ones nothing."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.failing: set[str] = set()
        self.silent: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    @property
    def setting(self) -> str:
        """As RESELLER_KIT_DNS_SERVERS has it."""
        return f"{self.address[0]}:{self.address[1]}"

    def set(self, name: str, kind: str, *values: str) -> None:
        """Give a name its records of a kind; none takes them away."""
        self.records.pop((name, kind), None)
        if values:
            self.records[name, kind] = [f'"{value}"' if kind == "TXT" else value for value in values]

    def serve(self) -> None:
        """Answer until an empty packet comes."""
        with self._socket:
            while True:
                data, peer = self._socket.recvfrom(4096)
                if not data:
                    return
                answer = self._answer(dns.message.from_wire(data))
                if answer is not None:
                    self._socket.sendto(answer.to_wire(), peer)

    def close(self) -> None:
        """Answer no more."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.address)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        self._fill(response, name, kind)
        return response

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        """The records of the name, those of its alias behind it."""
        for _ in range(8):
            found = self.records.get((name, kind))
            alias = self.records.get((name, "CNAME")) if kind != "CNAME" else None
            for values, of in ((found, kind), (alias, "CNAME")):
                if values:
                    texts = [f"{value}." if of == "CNAME" else value for value in values]
                    response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", of, *texts))
            if not alias or found:
                break
            name = alias[0]
        if not response.answer and not any(key[0] == name or key[0].endswith(f".{name}") for key in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)


@contextmanager
def dns_double() -> Iterator[DnsDouble]:
    """A server that answers while the block runs."""
    double = DnsDouble()
    thread = threading.Thread(target=double.serve, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.close()
        thread.join(5)
