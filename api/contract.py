"""What the published contract says where it refuses: its words, and its empty bodies."""

from typing import Any

from api.user_data_replies import NO_USER_DATA

# On these it answers a bad token with 400.
BLUEPRINTS = ("users", "passwords", "verification", "jobs", "answers", "user_data")
# Published clients parse a refusal like a success: the same keys, with nothing in them.
NO_USER = {"user_id": -1, "email": "", "state": -1, "verified": -1, "role": "", "token": ""}
NOTHING: dict[str, dict[str, Any]] = {
    "sessions.log_in": NO_USER,
    "users.search_users": {"users": []},
    "passwords.reset_password": {"user_id": -1, "token": "", "exp_date": ""},
    "passwords.use_one_time_password": {"user_id": -1, "otp_id": -1},
    "user_data.upload_data": NO_USER_DATA,
    "user_data.search_user_data": {"data": []},
    "user_data.change_user_data": {"data": NO_USER_DATA},
}
# How it begins its word on a body that cannot be read.
REFUSALS = {
    "sessions.log_in": "Login failed - please ensure email and password were set correctly in the"
    " request",
    "users.sign_up": "User creation failed - please ensure email and password were set correctly in"
    " the request",
    "users.change_user": "User update failed - please ensure user_id is set in the request",
    "users.delete_user": "User delete failed - please ensure user_id and user_email were set on the"
    " request",
    "users.search_users": "Missing user_id and email to search",
    "passwords.reset_password": "User create one-time-password failed - please ensure user_id and"
    " email are set in the request",
    "passwords.use_one_time_password": "User consume one-time-password failed - please ensure"
    " user_id, email, token and password are set in the request",
    "user_data.search_user_data": "User search data failed - please ensure user_id is set in the"
    " request",
    "user_data.change_user_data": "User update data failed - please ensure user_id and data_id are"
    " set in the request",
}
# What failed where a token is invalid.
FAILURES = {
    "users.get_user": "User get failed",
    "users.change_user": "User update failed",
    "users.delete_user": "User delete failed",
    "users.search_users": "User search failed",
    "passwords.reset_password": "User create one-time-password failed",
    "passwords.use_one_time_password": "User consume one-time-password failed",
    "user_data.upload_data": "User data upload failed",
    "user_data.search_user_data": "User search data failed",
    "user_data.change_user_data": "User update data failed",
}


def nothing(blueprint: str | None, endpoint: str | None) -> dict[str, Any]:
    """The keys of a success, with nothing in them; empty where nobody looks for them."""
    found = NOTHING.get(endpoint or "")
    if found is not None:
        return found
    return NO_USER if blueprint in ("users", "verification") else {}


def worded(endpoint: str | None, message: str) -> str:
    """With its own words in front, where it has some."""
    refusal = REFUSALS.get(endpoint or "")
    return f"{refusal} ({message})" if refusal else message


def invalid_token(endpoint: str | None, message: str) -> str:
    """The refusal of a token, in its words where it has some."""
    failure = FAILURES.get(endpoint or "")
    return message.replace("Request failed", failure) if failure else message
