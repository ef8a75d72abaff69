"""What proves a webhook genuine: secrets of each tenant for each sender, two of them valid at a time, in Postgres."""

import base64
import re

import psycopg

from contracts.errors import Misconfigured
from gateway.ingest.webhooks import SENDERS, Sender
from gateway.registry import Registry, no_tenant

VALID_SECRETS = 2
GIVEN_PATTERN = r"[!-~]{16,255}"


class WebhookSecrets(Registry):
    """The registry of webhook secrets."""

    def create(self, tenant: str, sender: str, actor: str) -> str:
        """A new secret for a sender's webhooks; the one before it stays valid, older ones do not.

        It is of the form that https://www.standardwebhooks.com gives those that sign, and good as a token as well.

        Raises Misconfigured for a sender that is not known or makes its own, or a tenant that does not exist.
        """
        if _known(sender).gives_secret:
            raise Misconfigured(f"{sender} makes its secrets itself: give one with --secret-file")
        secret = f"whsec_{base64.b64encode(self.chance(32)).decode()}"
        self._keep(tenant, sender, secret, actor, "webhook secret created")
        return secret

    def keep(self, tenant: str, sender: str, secret: str, actor: str) -> None:
        """A secret that the sender made, as create keeps its own.

        Raises Misconfigured as that does, and for what can be no secret; its message does not say what it was.
        """
        _known(sender)
        if not re.fullmatch(GIVEN_PATTERN, secret):
            raise Misconfigured(f"{len(secret)} characters were given: a secret has 16 to 255 of ASCII, and no spaces")
        self._keep(tenant, sender, secret, actor, "webhook secret given")

    def _keep(self, tenant: str, sender: str, secret: str, actor: str, action: str) -> None:
        def run(connection: psycopg.Connection) -> None:
            try:
                connection.execute(
                    "INSERT INTO webhook_secret VALUES (%s, %s, %s, %s) "
                    "ON CONFLICT (tenant, sender, secret) DO UPDATE SET created_at = EXCLUDED.created_at",
                    [tenant, sender, secret, self.now()],
                )
            except psycopg.errors.ForeignKeyViolation as missing:
                raise no_tenant(tenant) from missing
            connection.execute(
                "DELETE FROM webhook_secret WHERE tenant = %s AND sender = %s AND secret NOT IN (SELECT secret FROM "
                "webhook_secret WHERE tenant = %s AND sender = %s ORDER BY created_at DESC, secret LIMIT %s)",
                [tenant, sender, tenant, sender, VALID_SECRETS],
            )
            self.note(connection, tenant, actor, action, sender)

        self.in_one(run)

    def valid(self, tenant: str, sender: str) -> list[str] | None:
        """The valid ones; None where there is none."""

        def run(connection: psycopg.Connection) -> list[str] | None:
            rows = connection.execute(
                "SELECT secret FROM webhook_secret WHERE tenant = %s AND sender = %s ORDER BY created_at",
                [tenant, sender],
            )
            return [secret for (secret,) in rows] or None

        return self.in_one(run)


def _known(sender: str) -> Sender:
    if sender not in SENDERS:
        raise Misconfigured(f"webhooks of {sender!r}: there is {', '.join(SENDERS)}")
    return SENDERS[sender]
