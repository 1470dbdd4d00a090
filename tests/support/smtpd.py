"""A mail server by the PyPI package `aiosmtpd`, for tests against somebody else's SMTP.

    python3 smtpd.py PORT JOURNAL       PYTHONPATH names the folder that holds the package

Every letter is appended to JOURNAL, as one JSON object a line, and is on disk before it is answered for.
"""

import email
import email.policy
import json
import logging
import os
import signal
import sys
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

# It warns of passwords without TLS; this one stays on loopback.
warnings.simplefilter("ignore")
logging.disable()

PORT, JOURNAL = int(sys.argv[1]), sys.argv[2]


class Letters:
    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = letter.get_body(preferencelist=("plain",))
        line = json.dumps(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "subject": str(letter["subject"]),
                "text": body.get_content() if body else None,
                "message_id": str(letter["message-id"]),
                "date": str(letter["date"]),
                "auto": str(letter["auto-submitted"]),
                "defects": [type(defect).__name__ for part in letter.walk() for defect in part.defects],
            }
        )
        with open(JOURNAL, "a", encoding="utf-8") as journal:
            journal.write(line + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        return "250 2.0.0 taken"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"


def authenticate(server, session, envelope, mechanism, data):
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ops", b"secret")
    # Not handled: the package answers for us.
    return AuthResult(success=known, handled=known)


Controller(
    Letters(),
    hostname="127.0.0.1",
    port=PORT,
    authenticator=authenticate,
    auth_required=True,
    auth_require_tls=False,
).start()
signal.pause()
