"""Settings of redis-py for programs whose library opens the connections itself. Imported before that library.

REDIS_PROTOCOL in the environment chooses the protocol, which kombu cannot be asked for.

The release of a Lock is a script, which the server does not run yet; here it compares and deletes by WATCH instead. kombu
holds such a lock while it looks for messages that nobody acknowledged. To be deleted when scripts run.
"""

import os

import redis.connection
import redis.lock
from redis.exceptions import LockNotOwnedError, WatchError

original_pool = redis.connection.ConnectionPool.__init__


def pool(self, *args, **options):
    original_pool(self, *args, **{"protocol": int(os.environ["REDIS_PROTOCOL"])} | options)


redis.connection.ConnectionPool.__init__ = pool


def do_release(self, expected_token):
    with self.redis.pipeline() as pipe:
        try:
            pipe.watch(self.name)
            token = pipe.get(self.name)
            if isinstance(token, str):
                token = token.encode()
            if token != expected_token:
                raise LockNotOwnedError("Cannot release a lock that's no longer owned", lock_name=self.name)
            pipe.multi()
            pipe.delete(self.name)
            pipe.execute()
        except WatchError:
            raise LockNotOwnedError("Cannot release a lock that's no longer owned", lock_name=self.name) from None


redis.lock.Lock.do_release = do_release
