"""API keys over HTTP: made, listed, rotated, revoked, used."""

from __future__ import annotations

import hashlib
from typing import Any

PATH = "/v1/sources/contactatonce/keys"


async def make(ingest: Any, **wanted: Any) -> dict[str, Any]:
    answer = await ingest.http.post(PATH, json=wanted, headers=ingest.token("admin"))
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def status_of(ingest: Any, key: str) -> int:
    return int((await ingest.bring(key=key)).status_code)


async def test_a_key_is_said_once_and_kept_hashed(ingest: Any) -> None:
    await ingest.set_up()
    made = await make(ingest, account="main", label="portal")
    assert made["key"].startswith(f"lbk_{made['key_id']}_")
    assert (made["account"], made["label"], made["state"]) == ("main", "portal", "active")
    assert (made["created_by"], made["last_used_at"], made["replaces"]) == ("test-admin", None, None)
    (row,) = await ingest.rows("SELECT * FROM api_key")
    assert row["digest"] == hashlib.sha256(made["key"].encode()).digest()
    assert made["key"] not in str(row)
    listed = await ingest.http.get(PATH, headers=ingest.token("admin"))
    assert [key["key_id"] for key in listed.json()["items"]] == [made["key_id"]]
    secret = made["key"].rpartition("_")[2]
    assert secret not in listed.text
    assert secret not in str(await ingest.rows("SELECT * FROM audit"))
    assert await status_of(ingest, made["key"]) == 202


async def test_account_has_a_default(ingest: Any) -> None:
    await ingest.set_up()
    assert (await make(ingest))["account"] == "default"


async def test_a_key_needs_a_source_that_is_set_up_and_serves_the_account(ingest: Any) -> None:
    answer = await ingest.http.post(PATH, json={}, headers=ingest.token("admin"))
    assert (answer.status_code, answer.json()["type"]) == (404, "https://leadbus.dev/problems/unknown-source")
    await ingest.set_up(accounts=["main"])
    answer = await ingest.http.post(PATH, json={"account": "other"}, headers=ingest.token("admin"))
    assert answer.status_code == 409
    assert await ingest.count("api_key") == 0


async def test_only_admins_handle_keys(ingest: Any) -> None:
    await ingest.set_up()
    made = await make(ingest)
    for headers, status in [
        ({}, 401),
        ({"X-Api-Key": made["key"]}, 401),
        ({"Authorization": f"Bearer {made['key']}"}, 401),
        (ingest.token("operator"), 403),
        (ingest.token("admin", dealers=["d1"]), 404),
    ]:
        for method, path in [
            ("POST", PATH),
            ("GET", PATH),
            ("POST", f"{PATH}/{made['key_id']}/rotate"),
            ("POST", f"{PATH}/{made['key_id']}/revoke"),
        ]:
            answer = await ingest.http.request(method, path, json={}, headers=headers)
            assert answer.status_code == status, (method, path, headers)
    assert await ingest.count("api_key") == 1


async def test_rotation_leaves_the_old_key_its_grace(ingest: Any) -> None:
    await ingest.set_up()
    old = await make(ingest, account="main", label="portal")
    answer = await ingest.http.post(
        f"{PATH}/{old['key_id']}/rotate", json={"grace_seconds": 60}, headers=ingest.token("admin")
    )
    assert answer.status_code == 201
    new = answer.json()
    assert (new["account"], new["label"]) == ("main", "portal")
    assert (new["replaces"]["key_id"], new["replaces"]["rotated_to"]) == (old["key_id"], new["key_id"])
    assert new["replaces"]["expires_at"] == "2026-03-02T09:01:00Z"
    assert [await status_of(ingest, key) for key in (old["key"], new["key"])] == [202, 202]
    again = await ingest.http.post(f"{PATH}/{old['key_id']}/rotate", json={}, headers=ingest.token("admin"))
    assert again.status_code == 409
    ingest.clock.advance(60)
    assert [await status_of(ingest, key) for key in (old["key"], new["key"])] == [401, 202]
    listed = (await ingest.http.get(PATH, headers=ingest.token("admin"))).json()["items"]
    assert {key["key_id"]: key["state"] for key in listed} == {
        old["key_id"]: "expired",
        new["key_id"]: "active",
    }


async def test_rotation_without_grace_ends_the_old_key_at_once(ingest: Any) -> None:
    await ingest.set_up()
    old = await make(ingest)
    await ingest.http.post(
        f"{PATH}/{old['key_id']}/rotate", json={"grace_seconds": 0}, headers=ingest.token("admin")
    )
    assert await status_of(ingest, old["key"]) == 401


async def test_a_revoked_key_opens_nothing(ingest: Any) -> None:
    await ingest.set_up()
    made = await make(ingest)
    path = f"{PATH}/{made['key_id']}/revoke"
    first = await ingest.http.post(path, headers=ingest.token("admin"))
    assert (first.status_code, first.json()["state"]) == (200, "revoked")
    assert await status_of(ingest, made["key"]) == 401
    ingest.clock.advance(5)
    assert (await ingest.http.post(path, headers=ingest.token("admin"))).json() == first.json()
    rotated = await ingest.http.post(
        f"{PATH}/{made['key_id']}/rotate", json={}, headers=ingest.token("admin")
    )
    assert rotated.status_code == 409


async def test_keys_are_found_under_their_own_source_only(ingest: Any) -> None:
    await ingest.set_up()
    made = await make(ingest)
    other = PATH.replace("contactatonce", "adf")
    assert (await ingest.http.get(other, headers=ingest.token("admin"))).json()["items"] == []
    for act in ("rotate", "revoke"):
        answer = await ingest.http.post(
            f"{other}/{made['key_id']}/{act}", json={}, headers=ingest.token("admin")
        )
        assert answer.status_code == 404
    assert await status_of(ingest, made["key"]) == 202


async def test_last_use_is_noted_to_the_minute(ingest: Any) -> None:
    await ingest.set_up()
    made = await make(ingest)
    seen = []
    for wait_seconds in (0, 59, 2):
        ingest.clock.advance(wait_seconds)
        await ingest.bring(key=made["key"])
        (row,) = await ingest.rows("SELECT last_used_at FROM api_key")
        seen.append(row["last_used_at"].strftime("%M:%S"))
    assert seen == ["00:00", "00:00", "01:01"]


async def test_acts_are_audited(ingest: Any) -> None:
    await ingest.set_up()
    made = await make(ingest)
    await ingest.http.post(f"{PATH}/{made['key_id']}/rotate", json={}, headers=ingest.token("admin"))
    await ingest.http.post(f"{PATH}/{made['key_id']}/revoke", headers=ingest.token("admin"))
    rows = await ingest.rows(
        "SELECT actor, action FROM audit WHERE object = $1 ORDER BY id", f"key/{made['key_id']}"
    )
    assert [(row["actor"], row["action"]) for row in rows] == [
        ("test-admin", act) for act in ("key.make", "key.rotate", "key.revoke")
    ]


async def test_lists_are_cut_into_pages(ingest: Any) -> None:
    await ingest.set_up()
    made = [(await make(ingest, account=f"a{number % 2}"))["key_id"] for number in range(5)]
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        query = f"?limit=2&cursor={cursor}" if cursor else "?limit=2"
        page = (await ingest.http.get(PATH + query, headers=ingest.token("admin"))).json()
        found += [key["key_id"] for key in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(found) == sorted(made)
    filtered = await ingest.http.get(f"{PATH}?account=a1", headers=ingest.token("admin"))
    assert {key["key_id"] for key in filtered.json()["items"]} == {made[1], made[3]}


async def test_a_source_setting_is_named_after_a_source_that_pushes(ingest: Any) -> None:
    for name in ("dms", "nosuch"):
        answer = await ingest.http.put(
            f"/v1/settings/Source/{name}", json={"spec": {}}, headers=ingest.token("admin")
        )
        assert answer.status_code == 422
    answer = await ingest.http.put(
        "/v1/settings/Source/adf",
        json={"spec": {"accounts": ["a/b"], "max_body_bytes": 1}},
        headers=ingest.token("admin"),
    )
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/spec/accounts/0",
        "/spec/max_body_bytes",
    }


async def test_a_deleted_source_is_unknown_to_its_keys(ingest: Any) -> None:
    await ingest.set_up()
    made = await make(ingest)
    await ingest.http.delete(
        "/v1/settings/Source/contactatonce", headers={**ingest.token("admin"), "If-Match": "*"}
    )
    answer = await ingest.bring(key=made["key"])
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_source")
