"""Racks scraped from real exporters: the Prometheus client library's own server, and pages as DCGM writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from field_kit import START_US, Clock, MemorySink, Reply, Request, web_server
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from penstock.connect.counter import Standing
from penstock.connect.notebook import Notebook
from penstock.connect.prometheus import BODY_MAX, LINE_MAX, Scraper, Target, read, series_of
from penstock.errors import Invalid, Unavailable

DCGM = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
DCGM_PAGE = f"""# HELP {DCGM} Total energy consumption since boot (in mJ).
# TYPE {DCGM} counter
{DCGM}{{gpu="0",UUID="GPU-1d0c",device="nvidia0",Hostname="rack-7-a"}} 7200000
{DCGM}{{gpu="1",UUID="GPU-77fe",device="nvidia1",Hostname="rack-7-a"}} 3600000.9
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{{gpu="0",UUID="GPU-1d0c"}} 312.5
DCGM_FI_DEV_POWER_USAGE{{gpu="1",UUID="GPU-77fe"}} 287
vllm:generation_tokens_total{{model_name="m"}} 5.123e+06
"""


@contextmanager
def exporter(registry: CollectorRegistry) -> Iterator[str]:
    """The client library's own exporter on a free port."""
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def scraper(tmp_path: Path, sink: MemorySink, client: httpx.Client, *targets: Target) -> Scraper:
    return Scraper(targets, Notebook(tmp_path / "notes.json"), sink, client, Clock())


def test_a_kepler_node_is_scraped_and_its_restart_counts_on(tmp_path: Path) -> None:
    sink = MemorySink()
    first, second = CollectorRegistry(), CollectorRegistry()
    with httpx.Client() as client, exporter(first) as url:
        joules = Counter("kepler_node_cpu_joules", "Joules of the CPUs.", ["zone"], registry=first)
        watts = Gauge("kepler_platform_watts", "Platform.", registry=first)
        joules.labels("package-0").inc(7_200.5)
        joules.labels("dram-0").inc(3_600)
        watts.set(250.25)
        target = Target(url, "rack-7", "kepler_node_cpu_joules_total", power="kepler_platform_watts")
        assert scraper(tmp_path, sink, client, target).visit() == []
        joules.labels("package-0").inc(3_599.5)
        assert scraper(tmp_path, sink, client, target).visit() == []  # another process, the same notebook
    with httpx.Client() as client, exporter(second) as url:
        again = Counter("kepler_node_cpu_joules", "Joules of the CPUs.", ["zone"], registry=second)
        again.labels("package-0").inc(3_600)
        target = Target(url, "rack-7", "kepler_node_cpu_joules_total")
        assert scraper(tmp_path, sink, client, target).visit() == []
    assert [sample.position_wh for sample in sink.samples()] == [(3,), (4,), (5,)]
    assert [sample.power_mw for sample in sink.samples()] == [(250_250,), (250_250,), (-1,)]
    named = {(sample.source, sample.device, sample.channel, sample.at_us) for sample in sink.samples()}
    assert named == {("prometheus", "rack-7", 0, (START_US,))}


def test_a_page_of_dcgm_is_summed_over_its_accelerators(tmp_path: Path) -> None:
    sink = MemorySink()
    with httpx.Client() as client, web_server(lambda _: Reply(200, DCGM_PAGE.encode())) as url:
        whole = Target(url, "rack-7", DCGM, power="DCGM_FI_DEV_POWER_USAGE")
        one = Target(url, "gpu-1", DCGM, channel=1, labels=(("gpu", "1"),))
        assert scraper(tmp_path, sink, client, whole, one).visit() == []
    assert [(s.device, s.channel, s.position_wh, s.power_mw) for s in sink.samples()] == [
        ("rack-7", 0, (3,), (599_500,)),
        ("gpu-1", 1, (1,), (-1,)),
    ]


def test_an_accelerator_that_joins_later_brings_no_past() -> None:
    target = Target("http://rack", "rack-7", DCGM)
    standings, _ = read(f'{DCGM}{{gpu="0"}} 3600000\n', target, {})
    grown, _ = read(f'{DCGM}{{gpu="0"}} 3600000\n{DCGM}{{gpu="1"}} 999999999999\n', target, standings)
    assert sum(one.position_mj for one in grown.values()) == 3_600_000
    later, _ = read(f'{DCGM}{{gpu="1"}} 1000003599999\n', target, grown)  # gpu 0 is gone, what it counted is not
    assert sum(one.position_mj for one in later.values()) == 7_200_000


def test_one_target_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    def answer(asked: Request) -> Reply:
        return Reply(200, DCGM_PAGE.encode()) if asked.path == "/metrics" else Reply(500)

    sink = MemorySink()
    with httpx.Client() as client, web_server(answer) as url:
        targets = [Target(f"{url}/broken", "rack-6", DCGM), Target(f"{url}/metrics", "rack-7", DCGM)]
        wrong = scraper(tmp_path, sink, client, *targets).visit()
    assert [error.code for error in wrong] == ["connect.unreachable"]
    assert [sample.device for sample in sink.samples()] == ["rack-7"]


def test_a_sink_that_is_full_loses_an_instant_and_no_energy(tmp_path: Path) -> None:
    sink = MemorySink(full=True)
    page = [f"{DCGM} 3600000\n"]
    with httpx.Client() as client, web_server(lambda _: Reply(200, page[0].encode())) as url:
        rack = scraper(tmp_path, sink, client, Target(url, "rack-7", DCGM))
        with pytest.raises(Unavailable):
            rack.visit()
        sink.full, page[0] = False, f"{DCGM} 1800000\n"  # restarted meanwhile
        rack.visit()
    assert [sample.position_wh for sample in sink.samples()] == [(1,)]
    assert Notebook(tmp_path / "notes.json").get("prometheus rack-7 0") == {
        "e3b0c44298fc1c149afbf4c8996fb924": [3_600_000, 1_800_000]
    }


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (b"", "connect.series"),
        (b"\xff\xfe", "connect.malformed"),
        (f"{DCGM} NaN\n".encode(), "connect.value"),
        (f"{DCGM} -5\n".encode(), "connect.value"),
        (f"{DCGM} +Inf\n".encode(), "connect.value"),
        (f"{DCGM} 1\n{DCGM} 2\n".encode(), "connect.series"),
        (f'{DCGM}{{gpu="0}} 5\n'.encode(), "connect.malformed"),
        (f"{DCGM} \n".encode(), "connect.malformed"),
        (f'{DCGM}{{gpu="{"x" * LINE_MAX}"}} 5\n'.encode(), "connect.malformed"),
        ("".join(f'{DCGM}{{gpu="{n}"}} 5\n' for n in range(5_000)).encode(), "connect.malformed"),
        (b"#" * (BODY_MAX + 1), "connect.too_large"),
    ],
    ids=str,
)
def test_a_hostile_page_is_refused_by_code(page: bytes, code: str, tmp_path: Path) -> None:
    sink = MemorySink()
    with httpx.Client() as client, web_server(lambda _: Reply(200, page)) as url:
        wrong = scraper(tmp_path, sink, client, Target(url, "rack-7", DCGM)).visit()
    assert [error.code for error in wrong] == [code]
    assert sink.taken == []
    assert not (tmp_path / "notes.json").exists()


def test_only_the_metrics_own_lines_are_read() -> None:
    page = f'{DCGM}_other 1\n{DCGM} 5\nbroken {{{{ line\nother{{job="x\u2028{DCGM} 9\x0b{DCGM} 9\r{DCGM} 9"}} 1\n'
    assert [sample.value for sample in series_of(page, DCGM, ())] == [5]


def test_a_metric_whose_unit_nobody_knows_needs_one() -> None:
    with pytest.raises(Invalid) as caught:
        Target("http://rack", "rack-7", "node_energy")
    assert caught.value.code == "connect.metric"
    target = Target("http://rack", "rack-7", "node_energy", unit="kWh")
    assert read("node_energy 1.5\n", target, {})[0]["e3b0c44298fc1c149afbf4c8996fb924"] == Standing(0, 5_400_000_000)
