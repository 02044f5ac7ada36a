"""The peer of the load benchmark answers as redten did, whatever it is sent."""

import json

from benchmarks.bare_app import create_app


def test_each_request_is_answered_with_the_bytes_that_were_recorded(tmp_path):
    recorded = tmp_path / "replies.json"
    recorded.write_text(
        json.dumps([["POST", "/job", 201, '{"id":1}\n'], ["GET", "/a/2", 200, "{}"]])
    )
    http = create_app(str(recorded)).test_client()

    made = http.post("/job", data='{"ask": {}}')

    assert (made.status_code, made.text, made.mimetype) == (201, '{"id":1}\n', "application/json")
    assert http.get("/a/2").text == "{}"
    assert http.post("/job", data="no JSON").status_code == 400
