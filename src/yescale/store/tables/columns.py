"""What the tables are made of: their metadata and the kinds of columns that come again and again."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text, text

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID_TYPE: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only INTEGER keys by itself


def number() -> Column[int]:
    """The primary key, numbered by the database."""
    return Column("id", ID_TYPE, primary_key=True)


def words(name: str, default: str = "") -> Column[str]:
    """Text that is never NULL."""
    return Column(name, Text, nullable=False, server_default=text(f"'{default}'"))


def count(name: str, default: int = 0) -> Column[int]:
    """An integer of 64 bits that is never NULL."""
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


def maybe(name: str) -> Column[int | None]:
    """An integer of 64 bits, or NULL."""
    return Column(name, BigInteger)
