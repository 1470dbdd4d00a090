"""Signatures of webhooks by other people's libraries: the PyPI packages `twilio` and `pywa` (WhatsApp).

    python3 signatures.py twilio make COUNT SEED TOKEN URL..     PYTHONPATH names the folder that holds the packages
    python3 signatures.py twilio judge TOKEN
    python3 signatures.py whatsapp make COUNT SEED SECRET
    python3 signatures.py whatsapp judge SECRET

`make` prints calls, one JSON object a line, good ones and spoilt ones, each with the library's verdict. `judge` reads
calls from standard input and prints its verdict on each.
"""

import base64
import hashlib
import hmac
import json
import random
import sys
import urllib.parse

WHO, WHAT, *REST = sys.argv[1:]

NAMES = ["MessageSid", "MessageStatus", "SmsSid", "To", "From", "Body", "ErrorCode", "a", "A", "b", "a1", "ab", "ل", "x y", "z=z"]
LETTERS = "abcXYZ0189 +-_.~!*'()&=%/?#:;,@\"\\\n\t" + "سيلغادروا" + "🌊é€"
SAFE = "abcdefghijklmnopqrstuvwxyz0123456789-"


def text(dice, letters, most):
    return "".join(dice.choice(letters) for _ in range(dice.randrange(most)))


def flipped(dice, data, bits=8):
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << dice.randrange(bits))]) + data[at + 1 :]


class Parameters:
    """Parameters as web frameworks hand them over: a name may have several values."""

    def __init__(self, body):
        self.pairs = urllib.parse.parse_qsl(body, keep_blank_values=True)

    def __iter__(self):
        return iter(name for name, _ in self.pairs)

    def __len__(self):
        return len(self.pairs)

    def getall(self, name):
        return [value for known, value in self.pairs if known == name]


def twilio():
    from twilio.request_validator import RequestValidator, add_port, remove_port

    if WHAT == "judge":
        validator = RequestValidator(REST[0])
        for line in sys.stdin:
            call = json.loads(line)
            print(json.dumps(validator.validate(call["url"], dict(call["parameters"]), call["signature"])))
        return
    count, dice, validator, urls = int(REST[0]), random.Random(int(REST[1])), RequestValidator(REST[2]), REST[3:]

    def told(place, query, body, signature):
        url = urls[place] + ("?" + query if query else "")
        valid = validator.validate(url, Parameters(body), signature)
        print(json.dumps({"url": place, "query": query, "body": body, "signature": signature, "valid": valid}))

    for _ in range(count):
        place = dice.randrange(len(urls))
        query = "attempt=" + text(dice, SAFE, 40) if dice.random() < 0.8 else ""
        pairs = [(dice.choice(NAMES), text(dice, LETTERS, 30)) for _ in range(dice.randrange(1, 12))]
        body = urllib.parse.urlencode(pairs)
        url = urllib.parse.urlparse(urls[place] + ("?" + query if query else ""))
        signed = dice.choice([add_port, remove_port])(url)
        signature = validator.compute_signature(signed, Parameters(body))
        told(place, query, body, signature)
        spoilt = base64.b64encode(flipped(dice, base64.b64decode(signature))).decode()
        told(place, query, body, spoilt)
        told(place, query, flipped(dice, body.encode(), 7).decode(), signature)
        told(place, query + "1", body, signature)
        told((place + 1) % len(urls), query, body, signature)


def whatsapp():
    from pywa.utils import webhook_updates_validator

    if WHAT == "judge":
        for line in sys.stdin:
            call = json.loads(line)
            print(json.dumps(webhook_updates_validator(REST[0], base64.b64decode(call["body"]), call["signature"])))
        return
    count, dice, secret = int(REST[0]), random.Random(int(REST[1])), REST[2]

    def told(body, signature):
        valid = webhook_updates_validator(secret, body, signature)
        print(json.dumps({"body": base64.b64encode(body).decode(), "signature": signature, "valid": valid}))

    for _ in range(count):
        body = json.dumps({text(dice, LETTERS, 9): text(dice, LETTERS, 200)}, ensure_ascii=dice.random() < 0.5).encode()
        # The library checks and does not sign.
        tag = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        told(body, "sha256=" + tag.hex())
        told(body, "sha256=" + flipped(dice, tag).hex())
        told(flipped(dice, body), "sha256=" + tag.hex())


{"twilio": twilio, "whatsapp": whatsapp}[WHO]()
