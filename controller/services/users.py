"""Users: made, given a role and a password, disabled. Their sessions end with whatever made them valid.

The last enabled admin stays one: a token's text may be lost, and then nobody could let anybody in again.
"""

from dataclasses import replace

from controller.db.store import Clock, Store, Tx
from controller.domain.model import Role
from controller.domain.sign_in import User
from controller.services.changes import changing, checked_name, new_id, record
from controller.services.errors import BadInput, Forbidden, NotFound, Refused
from controller.services.passwords import checked_password, hashed, matches


async def list_users(store: Store) -> list[User]:
    """All, the disabled ones too, by name."""
    async with store.transaction() as tx:
        return await tx.users()


async def create_user(store: Store, clock: Clock, *, name: str, role: Role, password: str, actor: str) -> User:
    """Somebody new. Refused when a user or a token has the name: the audit would not tell them apart."""
    now = await clock.now()
    checked = checked_name(name)
    user = User(
        id=new_id(),
        name=checked,
        role=_checked_role(role),
        password=await hashed(checked_password(password, name=checked)),
        created_at=now,
        password_set_at=now,
    )
    async with changing(store) as tx:
        if any(token.name == user.name for token in await tx.tokens()):
            raise Refused(f"a token has the name {user.name!r}; give the user another", code="conflict", field="name")
        await tx.save_user(user)
        await record(tx, at=now, actor=actor, action="user.create", target=user.name, id=user.id, role=role.value)
    return user


async def set_password(store: Store, clock: Clock, ref: str, *, password: str, actor: str) -> User:
    """Give a user a new password; whoever is signed in as that user is signed out."""
    now = await clock.now()
    async with store.transaction() as tx:
        name = (await _user(tx, ref)).name
    kept = await hashed(checked_password(password, name=name))
    async with changing(store) as tx:
        user = replace(await _user(tx, ref), password=kept, password_set_at=now)
        await tx.save_user(user)
        await tx.delete_sessions(user_id=user.id)
        await record(tx, at=now, actor=actor, action="user.password", target=user.name, id=user.id)
    return user


async def change_own_password(store: Store, clock: Clock, user_id: str, *, current: str, password: str) -> User:
    """The same by the user, who shows the current one first."""
    async with store.transaction() as tx:
        user = await _user(tx, user_id)
    if not await matches(current, user.password):
        raise Forbidden("the current password is wrong", code="wrong_password", field="current")
    return await set_password(store, clock, user_id, password=password, actor=user.name)


async def set_role(store: Store, clock: Clock, ref: str, *, role: Role, actor: str) -> User:
    """Another role, from the next request on. Refused for the last enabled admin."""
    now = await clock.now()
    async with changing(store) as tx:
        user = await _user(tx, ref)
        if user.role is _checked_role(role):
            return user
        await _refuse_last_admin(tx, user)
        user = replace(user, role=role)
        await tx.save_user(user)
        await record(tx, at=now, actor=actor, action="user.role", target=user.name, id=user.id, role=role.value)
    return user


async def disable_user(store: Store, clock: Clock, ref: str, *, actor: str) -> User:
    """Nobody signs in as this user any more, and whoever is signed in is signed out. The name stays, for the audit.

    Refused for the last enabled admin.
    """
    now = await clock.now()
    async with changing(store) as tx:
        user = await _user(tx, ref)
        if user.disabled_at is not None:
            return user
        await _refuse_last_admin(tx, user)
        user = replace(user, disabled_at=now)
        await tx.save_user(user)
        await tx.delete_sessions(user_id=user.id)
        await record(tx, at=now, actor=actor, action="user.disable", target=user.name, id=user.id)
    return user


async def enable_user(store: Store, clock: Clock, ref: str, *, actor: str) -> User:
    """Take :func:`disable_user` back."""
    now = await clock.now()
    async with changing(store) as tx:
        user = await _user(tx, ref)
        if user.disabled_at is None:
            return user
        user = replace(user, disabled_at=None)
        await tx.save_user(user)
        await record(tx, at=now, actor=actor, action="user.enable", target=user.name, id=user.id)
    return user


async def _user(tx: Tx, ref: str) -> User:
    """By id or name."""
    found = await tx.user(ref) or await tx.user_by_name(ref)
    if found is None:
        raise NotFound(f"there is no user {ref!r}", code="unknown_user", field="user")
    return found


async def _refuse_last_admin(tx: Tx, user: User) -> None:
    """``user`` is about to be an enabled admin no more. The guard of :func:`changing` keeps two from going at once."""
    admins = [one.id for one in await tx.users() if one.role is Role.ADMIN and one.disabled_at is None]
    if admins == [user.id]:
        raise Refused(
            f"{user.name} is the last user who is an admin; make another user an admin first", code="last_admin"
        )


def _checked_role(role: Role) -> Role:
    if role is Role.REPORTER:
        raise BadInput("a reporter may not look at anything; give reporters a token", code="bad_role", field="role")
    return role
