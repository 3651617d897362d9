"""Settings of redis-py for programs whose library opens the connections itself. Imported before that library.

REDIS_PROTOCOL in the environment chooses the protocol, which kombu cannot be asked for.
"""

import os

import redis.connection

original_pool = redis.connection.ConnectionPool.__init__


def pool(self, *args, **options):
    original_pool(self, *args, **{"protocol": int(os.environ["REDIS_PROTOCOL"])} | options)


redis.connection.ConnectionPool.__init__ = pool
