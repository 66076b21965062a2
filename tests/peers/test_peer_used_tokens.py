"""The guard against tokens that come twice, over a real Redis: all doors of one service count as one."""

import time
from pathlib import Path

from redis import Redis
from state_peers import redis_server

from connector.fhir import used_tokens
from connector.fhir.used_tokens import UsedInRedis


def test_a_token_that_one_door_took_is_taken_by_no_other_and_forgotten_when_it_ends(tmp_path: Path):
    with redis_server(tmp_path) as (url, _):
        one, other = UsedInRedis(url), UsedInRedis(url)
        until = time.time() + 60
        assert one.first_use("t", until)
        assert not other.first_use("t", until)
        assert not one.first_use("t", until)
        assert other.first_use("u", until)
        lives = [Redis.from_url(url).ttl(key) for key in Redis.from_url(url).keys("connector:used:*")]
        assert len(lives) == 2
        assert all(58 <= seconds <= 61 for seconds in lives)


def test_while_redis_is_away_each_door_remembers_for_itself_and_asks_it_only_now_and_then(tmp_path: Path, monkeypatch):
    now = [time.time()]
    with redis_server(tmp_path) as (url, process):
        guard = UsedInRedis(url, clock=lambda: now[0])
        assert guard.first_use("before", now[0] + 600)
        process.kill()
        process.wait()
        assert guard.first_use("while", now[0] + 600)
        asked = []
        monkeypatch.setattr(guard, "_redis", type("Away", (), {"set": lambda *_, **__: asked.append(1)})())
        assert not guard.first_use("before", now[0] + 600)
        assert not guard.first_use("while", now[0] + 600)
        assert asked == [], "nobody waits for it again so soon"
        now[0] += used_tokens._ASK_AGAIN_SECONDS
        guard.first_use("later", now[0] + 600)
        assert asked == [1]
