"""What the annotations are worth to others."""

from importlib.resources import files


def test_a_type_checker_is_told_that_the_package_is_typed():
    assert files("sktandem").joinpath("py.typed").is_file()
