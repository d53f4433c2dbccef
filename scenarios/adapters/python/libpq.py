"""What libpq offers for recovery: the tuned settings of every adapter whose library is based on it.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

RECOVERY = {
    "connect_timeout": 5,  # seconds, over the whole handshake and for each host
    "keepalives_idle": 2,  # seconds of silence before the first probe
    "keepalives_interval": 1,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,  # ms that sent bytes may stay unacknowledged
    "target_session_attrs": "read-write",  # after a failover: never a standby
    "options": "-c statement_timeout=5s",  # the server's own timer: it helps only while the server is reachable
}
