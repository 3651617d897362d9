"""Gives redis-py's Lock a release without a script, which the server does not run yet.

It compares and deletes by WATCH instead. For programs whose library takes a lock on its way to something else: kombu
does so before it looks for messages that nobody acknowledged. To be deleted when scripts run.
"""

import redis.lock
from redis.exceptions import LockNotOwnedError, WatchError


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
