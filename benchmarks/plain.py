"""The same work written plainly, as the measure of ours: decrypt in the loop, one ORM session and one commit for each event.

    python -m benchmarks.plain [--database URL] [--events 2000] [--consents 1000]

Keys are parsed once and the flush is as safe as ours; nothing else is made quick. A process of its own serves it, and the same
load as in `benchmarks.ingest` is sent to it and then to the real service. Prints one JSON object with both and the ratio.
"""

import argparse
import asyncio
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from sqlalchemy import JSON, DateTime, LargeBinary, String, create_engine, event, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks import ingest
from benchmarks.machine import Database, cpu_seconds, database, description
from tests import tokens
from tests.e2e.service import issuer

_ACCEPTED = 202


class Base(DeclarativeBase):
    """What SQLAlchemy asks for."""


class Consent(Base):
    """A consent as it is now."""

    __tablename__ = "plain_consent"
    consent_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    status: Mapped[str] = mapped_column(String(32))
    status_date_time: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    terms: Mapped[Any] = mapped_column(JSON)
    version: Mapped[int]


class Report(Base):
    """A report and the token that it came in."""

    __tablename__ = "plain_report"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    consent_id: Mapped[str] = mapped_column(String(128), index=True)
    status: Mapped[str] = mapped_column(String(32))
    status_date_time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    terms: Mapped[Any] = mapped_column(JSON)
    jws: Mapped[bytes] = mapped_column(LargeBinary)


class Move(Base):
    """What is told of a consent."""

    __tablename__ = "plain_move"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    consent_id: Mapped[str] = mapped_column(String(128), index=True)
    from_status: Mapped[str] = mapped_column(String(32))
    to_status: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def opened(body: bytes, ours: JWK, theirs: JWK, issuer_url: str) -> tuple[dict[str, Any], bytes]:
    """Decrypt, verify, check; give the claims and the signed token."""
    jwe = JWE(algs=["RSA-OAEP-256", "A256GCM"])
    jwe.deserialize(body.decode(), key=ours)
    jws = JWS()
    jws.allowed_algs = ["PS256"]
    jws.deserialize(jwe.payload.decode(), key=theirs)
    claims = json.loads(jws.payload)
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims["iss"] != issuer_url or tokens.CLIENT_ID not in audience or claims["exp"] < time.time():
        raise ValueError("It is not for us.")
    return claims, jwe.payload


def recorded(session: Session, claims: dict[str, Any], jws: bytes) -> None:
    """Put one event on record."""
    data = claims["message"]["Data"]
    digest = hashlib.sha256(json.dumps(claims["message"], sort_keys=True).encode()).hexdigest()
    if session.get(Report, digest) is not None:
        return
    consent = session.get(Consent, data["ConsentId"])
    since, now = datetime.fromisoformat(data["StatusUpdateDateTime"]), datetime.now(UTC)
    session.add(
        Report(
            digest=digest,
            consent_id=data["ConsentId"],
            status=data["Status"],
            status_date_time=since,
            received_at=now,
            terms=data,
            jws=jws,
        )
    )
    if consent is None or consent.status == data["Status"]:
        return
    session.add(Move(consent_id=consent.consent_id, from_status=consent.status, to_status=data["Status"], at=now))
    consent.status, consent.status_date_time, consent.terms = data["Status"], since, data
    consent.version += 1


@asynccontextmanager
async def sessions(url: str) -> AsyncIterator[Callable[[Callable[[Session], Any]], Any]]:
    """Give what runs a piece of work in a session of its own and commits it."""
    if url.startswith("sqlite"):
        engine = create_engine(url)
        event.listen(engine, "connect", _durable)
        Base.metadata.create_all(engine)

        async def on_sqlite(work: Callable[[Session], Any]) -> Any:
            with Session(engine) as session:
                done = work(session)
                session.commit()
                return done

        yield on_sqlite
        engine.dispose()
        return
    many = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=20)
    async with many.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    async def on_postgres(work: Callable[[Session], Any]) -> Any:
        async with AsyncSession(many) as session:
            done = await session.run_sync(work)
            await session.commit()
            return done

    yield on_postgres
    await many.dispose()


def _durable(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


async def serve(url: str, issuer_url: str, consents: int, keys: Path) -> None:
    ours, theirs = (
        JWK.from_json(json.dumps(json.loads((keys / name).read_bytes())["keys"][0])) for name in ("ours", "theirs")
    )
    async with sessions(url) as in_session:

        def begin(session: Session) -> None:
            for n in range(consents):
                session.add(Consent(consent_id=f"c{n}", status="NotStaged", terms={}, version=1))

        async def receive(request: web.Request) -> web.Response:
            body = await request.read()
            try:
                claims, jws = opened(body, ours, theirs, issuer_url)
            except Exception:  # noqa: BLE001 - whatever it is
                return web.Response(status=400)
            await in_session(lambda session: recorded(session, claims, jws))
            return web.Response(status=_ACCEPTED)

        async def count(_: web.Request) -> web.Response:
            return web.json_response(
                await in_session(lambda session: len(session.scalars(select(Report.digest)).all()))
            )

        await in_session(begin)
        application = web.Application()
        application.add_routes([web.post("/webhooks/{profile}", receive), web.get("/count", count)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()


async def measured(options: argparse.Namespace, place: Database) -> dict[str, Any]:
    """Load the plain service and give what it did."""
    with tempfile.TemporaryDirectory(prefix="plain-") as folder:
        async with issuer() as issuer_url:
            url = place.url or f"sqlite:///{Path(folder) / 'plain.db'}"
            (Path(folder) / "ours").write_bytes(tokens.our_private_jwks())
            (Path(folder) / "theirs").write_bytes(tokens.hub_jwks())
            given = {"serve": url, "issuer": issuer_url, "consents": options.consents, "keys": folder}
            arguments = [f"--{name}={value}" for name, value in given.items()]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.plain", *arguments, stdout=asyncio.subprocess.PIPE
            )
            try:
                assert process.stdout is not None
                at = (await process.stdout.readline()).decode().strip()
                events = ingest.make_events(issuer_url, options)
                warm_up = ingest.make_events(issuer_url, options, warm_up=True)
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as http:
                    await ingest.send(http, at, warm_up, rate=100.0)
                    cpu, begin = cpu_seconds(process.pid), time.monotonic()
                    answers = await ingest.send(http, at, [body for _, body in events], rate=0)
                    seconds, cpu = time.monotonic() - begin, cpu_seconds(process.pid) - cpu
                    async with http.get(f"{at}/count") as response:
                        on_record = await response.json() - len({*warm_up})
            finally:
                process.kill()
                await process.wait()
    kept = sum(status == _ACCEPTED for status, _ in answers)
    latencies = sorted(latency * 1e3 for _, latency in answers)
    return {
        "recorded_per_second": round(kept / seconds, 1),
        "cpu_us_per_event": round(cpu / len(events) * 1e6, 1),
        "ack_ms": {
            "p50": round(ingest.quantile(latencies, 0.5), 2),
            "p99": round(ingest.quantile(latencies, 0.99), 2),
        },
        "refused": len(events) - kept,
        "missing": kept - on_record,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
    options.add_argument("--events", type=int, default=2000)
    options.add_argument("--consents", type=int, default=1000)
    options.add_argument("--payload-bytes", type=int, default=2500, help="size of the claims")
    options.add_argument("--serve", metavar="URL", help=argparse.SUPPRESS)
    options.add_argument("--keys", help=argparse.SUPPRESS)
    options.add_argument("--issuer", help=argparse.SUPPRESS)
    chosen = options.parse_args(namespace=argparse.Namespace(rate=0.0))
    if chosen.serve is not None:
        asyncio.run(serve(chosen.serve, chosen.issuer, chosen.consents, Path(chosen.keys)))
        return
    with database(chosen.database) as place:
        plain = asyncio.run(measured(chosen, place))
    with database(chosen.database) as place:
        ours = asyncio.run(ingest.run(chosen, place))
    ratio = float(str(ours["recorded_per_second"])) / plain["recorded_per_second"]
    cpu_ratio = plain["cpu_us_per_event"] / float(str(ours["cpu_us_per_event"]))
    told = {
        "machine": description(),
        "plain": plain,
        "ours": ours,
        "ratio": round(ratio, 2),
        "cpu_ratio": round(cpu_ratio, 2),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
