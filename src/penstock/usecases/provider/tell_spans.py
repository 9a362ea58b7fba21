"""Tell spans: a reported answer as an OTLP span with its energy, sent to the collector that the offer names (`otlp`).

Reports are told in order from the provider's start on, each once it is sealed; one that the collector does not take is
sent again in the next round. A span's identities come from its payment, so a repeat is the same span.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx

from penstock.compute.work import WorkReport, open_report
from penstock.connect.telemetry.gen_ai import Answer, span_of
from penstock.connect.telemetry.otlp_write import PROTOBUF_TYPE, write_protobuf
from penstock.errors import Invalid, Unavailable
from penstock.keys.dsse import Envelope
from penstock.usecases.provider.provider import Provider

PATH: Final = "/v1/traces"
SPANS_AT_ONCE: Final = 1_000
_WAIT_S: Final = 10.0
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class SpanTeller:
    """Tells ``provider``'s answers to the collector at ``url``; its own path is added (OTLP/HTTP 1.x).

    Raises:
        Invalid: ``provider.offer`` for an address that is none, or is not secret on its way.
    """

    def __init__(self, provider: Provider, url: str) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        ):
            hint = "Give an https address, or http on this machine."
            raise Invalid("provider.offer", "otlp is no address of a collector.", hint=hint, field="otlp")
        last = provider.workbook.last_report()
        self._provider, self._url = provider, url.rstrip("/") + PATH
        self._told = last.number if last else -1

    def tell(self) -> int:
        """Send what was reported since the last call; how many spans.

        Raises:
            Unavailable: ``telemetry.not_taken``; what was sent before it stands.
        """
        sent = 0
        with httpx.Client(timeout=_WAIT_S, follow_redirects=False, trust_env=False) as client:
            for row in self._provider.reports(self._told):
                work = Envelope.from_json(json.dumps(json.loads(row.written)["work"]))
                answers = list(answers_of(open_report(work, self._provider.keys.work.public)))
                for first in range(0, len(answers), SPANS_AT_ONCE):
                    self._send(client, answers[first : first + SPANS_AT_ONCE])
                self._told = row.number
                sent += len(answers)
        return sent

    def _send(self, client: httpx.Client, answers: list[Answer]) -> None:
        body = write_protobuf([span_of(one) for one in answers], self._provider.offer.provider)
        try:
            client.post(self._url, content=body, headers={"Content-Type": PROTOBUF_TYPE}).raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable("telemetry.not_taken", "The collector does not take spans now.") from error


def answers_of(report: WorkReport) -> Iterator[Answer]:
    """A report's answers as they are told."""
    rows, metered = report.rows, report.metered
    columns = ("arrived_us", "first_us", "done_us", "prompt_tokens", "output_tokens", "energy_mj")
    figures = zip(*(rows[name].tolist() for name in columns), strict=True)
    for payment, row in zip(rows["payment"], figures, strict=True):
        operation = "chat" if row[4] else "embeddings"
        told = dict(zip(columns, row, strict=True))
        yield Answer(
            payment.tobytes(), report.model, operation, **told,
            method=metered.method, source=metered.source, root=report.sealed.root,
        )  # fmt: skip
