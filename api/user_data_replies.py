"""What goes out about uploaded files."""

from typing import Any, Literal

from api.replies import Out, Stamp


class UserDataOut(Out):
    """A file that its owner has uploaded; `sloc` says where it lies."""

    user_id: int
    data_id: int
    filename: str
    data_type: str
    size_in_bytes: int
    comments: str
    encoding: str
    sloc: str
    content_sha256: str
    created_at: Stamp | Literal[""]
    updated_at: Stamp | Literal[""]
    msg: str = "success"


class UserDataFoundOut(Out):
    """One's own files that were searched for, newest first."""

    data: list[UserDataOut]
    msg: str


class UserDataChangedOut(Out):
    """A file as it is described now."""

    data: UserDataOut
    msg: str = "success"


# The place of a file where there is none, as published clients expect it.
NO_USER_DATA: dict[str, Any] = {"user_id": -1, "data_id": -1, "size_in_bytes": -1} | dict.fromkeys(
    (
        "filename",
        "data_type",
        "comments",
        "encoding",
        "sloc",
        "content_sha256",
        "created_at",
        "updated_at",
        "msg",
    ),
    "",
)
