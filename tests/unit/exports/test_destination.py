"""What a destination of exports can be (semantics §30)."""

from collections.abc import Mapping
from typing import Any

import pytest

from tallystick.exports.destination import ExportDestination
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody, read

S3 = {
    "name": "W",
    "code": "w",
    "destinationType": "S3",
    "bucketName": "warehouse",
    "iamRoleArn": "arn:aws:iam::123456789012:role/exports",
}
GCS = {"iamRoleArn": None, "destinationType": "GCS", "projectNumber": "1", "poolId": "p", "providerId": "o"}


def problems(**changed: Any) -> dict[str, str]:
    try:
        request = read({**S3, **changed}, resource_of(ExportDestination).request_type)
    except InvalidBody as error:
        return {each.field: each.code for each in error.problems}
    return {each.field: each.code for each in from_request(ExportDestination, request).check()}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, {}, id="S3"),
        pytest.param(GCS, {}, id="GCS"),
        pytest.param({"bucketName": "abc"}, {}, id="3 characters"),
        pytest.param({"bucketName": "b" * 63}, {}, id="63 characters"),
        pytest.param({"bucketName": "ab"}, {"bucketName": "wrong_length"}, id="2 characters"),
        pytest.param({"bucketName": "b" * 64}, {"bucketName": "wrong_length"}, id="64 characters"),
        pytest.param({"bucketName": "Bucket"}, {"bucketName": "wrong_format"}, id="no bucket's name"),
        pytest.param({"destinationType": None}, {"destinationType": "required"}, id="neither"),
        pytest.param({"iamRoleArn": None}, {"iamRoleArn": "required"}, id="S3 without a role"),
        pytest.param(
            {"iamRoleArn": "arn:aws:iam::me:role/x"},
            {"iamRoleArn": "wrong_format"},
            id="an account of letters",
        ),
        pytest.param(
            {"iamRoleArn": "arn:aws:iam::1:user/x"}, {"iamRoleArn": "wrong_format"}, id="a user, no role"
        ),
        pytest.param({"poolId": "p"}, {"poolId": "not_applicable"}, id="of GCS on S3"),
        pytest.param({**GCS, "poolId": None}, {"poolId": "required"}, id="GCS without a pool"),
        pytest.param({"partitionOrder": "TYPE_FIRST"}, {}, id="types first"),
        pytest.param({"partitionOrder": "BOTH"}, {"partitionOrder": "unknown_value"}, id="no such order"),
    ],
)
def test_destinations(changed: Mapping[str, Any], expected: Mapping[str, str]) -> None:
    assert problems(**changed) == expected
