"""The packages can be imported at all."""

import yescale
import yescale_sandbox


def test_both_packages_say_what_they_are() -> None:
    assert yescale.__doc__
    assert yescale_sandbox.__doc__
