"""Where uploaded files may lie, and what their keys look like."""

import pytest
from pydantic import ValidationError

from settings import Settings
from tasks.uploads import plain_name


def test_locations_are_listed_without_slashes_at_their_ends():
    told = Settings(REDTEN_UPLOAD_LOCATIONS=" s3://a/b/ , s3://c,")

    assert told.upload_locations == ("s3://a/b", "s3://c")


@pytest.mark.parametrize("location", ["/a/b", "s3://", "s3:///a", "s3://a//b", "https://a/b"])
def test_a_location_that_is_none_is_refused(location):
    with pytest.raises(ValidationError, match="is not like s3://BUCKET/PREFIX"):
        Settings(REDTEN_UPLOAD_LOCATIONS=location)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a-b_c.1.txt", "a-b_c.1.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a b.txt", "a_b.txt"),
        ("..", "file"),
        ("straße?.txt", "stra_e_.txt"),
        ("x" * 200 + ".txt", "x" * 96 + ".txt"),
    ],
)
def test_a_key_ends_in_the_files_own_name_in_plain_letters(filename, expected):
    assert plain_name(filename) == expected
