"""Who asks: over HTTP whoever shows an API key or a signed-in wallet's token, over stdio the folder's owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import Context
from starlette.requests import Request

from penstock.errors import PenstockError, Refused, Unverified
from penstock.usecases.api_keys import OPERATE, READ, WRITE, KeyRing
from penstock.usecases.sign_in import PREFIX as SESSION
from penstock.usecases.sign_in import SignIn
from penstock.usecases.trail import OPERATOR
from penstock.usecases.world import World

Asked = Context[Any, Any]


class Who(Protocol):
    """Names whoever calls a tool."""

    def member(self, asked: Asked, scope: str, /) -> str:
        """As facts name it in ``by``.

        Raises:
            Unverified: ``api.key_missing``. Refused: ``api.key_scope``.
        """


class Owner:
    """Whoever has the workspace's folder: the registry's operator."""

    def member(self, _asked: Asked, _scope: str) -> str:
        """The operator."""
        return OPERATOR


class KeyHolders:
    """API keys and sessions, checked at every request; what the official server calls a token verifier."""

    def __init__(self, keys: KeyRing, sessions: SignIn, clock: Callable[[], int]) -> None:
        self._keys, self._sessions, self._clock = keys, sessions, clock

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token's holder and scopes, None for one that may not even read. The token itself is not kept."""
        try:
            return self._holder(token)
        except PenstockError:
            return None

    def _holder(self, token: str) -> AccessToken:
        if token.startswith(f"{SESSION}_"):
            address = self._sessions.check(token, self._clock())
            return AccessToken(token="", client_id=address, scopes=[READ, WRITE], subject=address)
        row = self._keys.find(token, self._clock())
        if not row.scopes.intersection((READ, WRITE, OPERATE)):
            raise Refused(
                "api.key_scope", "This API key may not do that.", hint=f"It needs the scope {READ}.", id=row.id
            )
        by = OPERATOR if OPERATE in row.scopes else row.id
        return AccessToken(token="", client_id=row.id, scopes=sorted(row.scopes), subject=by)

    def member(self, asked: Asked, scope: str) -> str:
        """Whose token came with this very request."""
        request = asked.request_context.request
        user = request.scope.get("user") if isinstance(request, Request) else None
        if not isinstance(user, AuthenticatedUser):
            raise Unverified("api.key_missing", "This needs an API key.", hint="Send it as: Authorization: Bearer KEY.")
        held = user.access_token
        if not {scope, OPERATE}.intersection(held.scopes) and not (scope == READ and WRITE in held.scopes):
            hint = f"It needs the scope {scope}."
            raise Refused("api.key_scope", "This API key may not do that.", hint=hint, id=held.client_id)
        return held.subject or held.client_id


def check_sees(world: World, by: str, account: str) -> None:
    """That ``by`` may see an account's affairs. Raises NotFound ``account.unknown``, Refused ``account.not_member``."""
    world.books.accounts.id_of(account)
    if by != OPERATOR and account not in world.participants.accounts_of(by):
        raise Refused("account.not_member", "Only members of its organisation see what an account has.", by=by)
