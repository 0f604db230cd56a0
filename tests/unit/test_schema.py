"""What is known of schemas without the migrations loaded agrees with them."""

from pathlib import Path

from alembic.script import ScriptDirectory

from yescale.store import migrations
from yescale.store.schema import NEWEST


def test_the_newest_schema_is_that_of_the_last_migration() -> None:
    folder = str(Path(migrations.__file__).parent)
    assert ScriptDirectory(folder).get_current_head() == NEWEST
