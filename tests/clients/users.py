"""Users with rights, as redis-py's users make, see and are them."""

import sys

import redis
from redis.exceptions import AuthenticationError, NoPermissionError

port, protocol = int(sys.argv[1]), int(sys.argv[2])
admin = redis.Redis(port=port, protocol=protocol, decode_responses=True)


def who(username, password):
    return redis.Redis(port=port, protocol=protocol, username=username, password=password, decode_responses=True)


def made_and_seen():
    assert admin.acl_whoami() == "default"
    assert admin.acl_setuser(
        "bot",
        enabled=True,
        passwords=["+secret"],
        categories=["+@read", "+@write", "-@dangerous"],
        commands=["+ping", "+subscribe", "-flushall"],
        keys=["bot:*"],
        channels=["news"],
    )
    user = admin.acl_getuser("bot")
    assert "on" in user["flags"] and len(user["passwords"]) == 1
    assert "+@read" in user["categories"] and "-flushall" in user["commands"], user
    assert "bot" in admin.acl_users() and any(line.startswith("user bot on #") for line in admin.acl_list())
    assert "get" in admin.acl_cat("string") and "string" in admin.acl_cat()
    assert len(admin.acl_genpass()) == 64
    assert admin.acl_dryrun("bot", "get", "bot:1") == b"OK" or admin.acl_dryrun("bot", "get", "bot:1") == "OK"
    assert "no permissions" in str(admin.acl_dryrun("bot", "get", "other"))


def lived_by():
    bot = who("bot", "secret")
    assert bot.set("bot:1", "x")
    assert bot.get("bot:1") == "x"
    for forbidden in (lambda: bot.get("other"), lambda: bot.flushall(), lambda: bot.config_get("*")):
        try:
            forbidden()
            raise SystemExit("it was allowed")
        except NoPermissionError:
            pass
    try:
        who("bot", "wrong").ping()
        raise SystemExit("a wrong password let somebody in")
    except AuthenticationError:
        pass
    # A pipeline of which a part is not allowed.
    with bot.pipeline(transaction=False) as pipe:
        pipe.set("bot:2", "y")
        pipe.get("other")
        pipe.get("bot:2")
        results = pipe.execute(raise_on_error=False)
    assert results[0] and isinstance(results[1], NoPermissionError) and results[2] == "y"
    listener = bot.pubsub()
    listener.subscribe("news")
    assert listener.get_message(timeout=5)["type"] == "subscribe"


def logged():
    entries = admin.acl_log()
    reasons = {(entry["reason"], entry["username"]) for entry in entries}
    assert {("key", "bot"), ("command", "bot"), ("auth", "bot")} <= reasons, reasons
    assert admin.acl_log_reset() and admin.acl_log() == []


def removed():
    assert admin.acl_deluser("bot") == 1
    try:
        who("bot", "secret").ping()
        raise SystemExit("who was removed came in")
    except AuthenticationError:
        pass


made_and_seen()
lived_by()
logged()
removed()
