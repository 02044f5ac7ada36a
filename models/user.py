"""Accounts and the tokens issued to them. A person may belong to several tenants."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, SmallInteger, String, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Dated, Numbered

ACTIVE, INACTIVE = 0, 1


class User(Numbered, Dated, Base):
    """An account; column names are those of the published service, so that its rows can move in."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(320))
    password: Mapped[str] = mapped_column(String(512))
    state: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    verified: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    role: Mapped[str] = mapped_column(String(20), server_default="user")
    default_tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))

    __table_args__ = (Index("uq_users_email", func.lower(email), unique=True),)

    @property
    def is_admin(self) -> bool:
        """Whether they look after the deployment, all its accounts included."""
        return self.role == "admin"


class Token(Numbered, Dated, Base):
    """An issued token by its `jti`; the token itself is not kept."""

    __tablename__ = "users_tokens"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    jti: Mapped[str] = mapped_column(String(32), unique=True)
    state: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    expires_at: Mapped[datetime] = mapped_column(index=True)


def find_user(session: Session, email: str) -> User | None:
    """The active account with that email, in whichever case."""
    same = func.lower(User.email) == func.lower(email)
    return session.scalar(select(User).where(same, User.state == ACTIVE))


def add_user(
    session: Session,
    email: str,
    password: str,
    tenant_id: int,
    role: str = "user",
    verified: bool = True,
) -> User | None:
    """A new account, or None if the email is taken; `password` is a hash."""
    row = insert(User).values(
        email=email,
        password=password,
        role=role,
        verified=int(verified),
        default_tenant_id=tenant_id,
    )
    return session.scalar(row.on_conflict_do_nothing().returning(User))


def keep_token(session: Session, user_id: int, jti: str, expires_at: datetime) -> None:
    """Remembers an issued token, so that it can be revoked."""
    session.add(Token(user_id=user_id, jti=jti, expires_at=expires_at))


def token_holder(session: Session, jti: str) -> User | None:
    """The active user to whom an unrevoked token was issued."""
    return session.scalar(
        select(User)
        .join(Token, Token.user_id == User.id)
        .where(Token.jti == jti, Token.state == ACTIVE, User.state == ACTIVE)
    )


def revoke_token(session: Session, jti: str) -> bool:
    """Ends one token; False if it has ended already."""
    active = update(Token).where(Token.jti == jti, Token.state == ACTIVE)
    ended = active.values(state=INACTIVE, updated_at=func.now()).returning(Token.id)
    return session.scalar(ended) is not None


def revoke_tokens(session: Session, user_id: int, but_jti: str | None = None) -> None:
    """Ends all tokens of the user, but for that one."""
    active = update(Token).where(Token.user_id == user_id, Token.state == ACTIVE)
    others = active.where(Token.jti != but_jti) if but_jti else active
    session.execute(others.values(state=INACTIVE, updated_at=func.now()))


def is_still(session: Session, user: User) -> bool:
    """Whether the account is active and has the same password and email as when it was read."""
    same = (User.id == user.id, User.password == user.password, User.email == user.email)
    # Until this transaction ends nobody changes them.
    unchanged = select(User.id).where(*same, User.state == ACTIVE).with_for_update(key_share=True)
    return session.scalar(unchanged) is not None


def replace_password(session: Session, user_id: int, password: str) -> None:
    """Stores a new hash."""
    session.execute(
        update(User).where(User.id == user_id).values(password=password, updated_at=func.now())
    )
