"""Putting files into the buckets of destinations."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

import boto3
import obstore
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.identity_pool import Credentials
from obstore.auth.google import GoogleCredentialProvider
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import GCSStore

from tallystick.exports.destination import DestinationType, ExportDestination
from tallystick.exports.errors import DestinationRefused, DestinationUnavailable

FIRST_REGION: Final = "us-east-1"
"Where AWS is asked for roles and for a bucket's region, when the server is in none."
ROLE_SESSION: Final = "tallystick-exports"
GOOGLE: Final = {
    "token_url": "https://sts.googleapis.com/v1/token",
    "impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts",
}
_GOOGLE_REFUSES: Final = (
    FileNotFoundError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    RefreshError,
)
_MAY_PASS: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Targets(Protocol):
    """Where files are sent."""

    def put(self, org_id: str, destination: ExportDestination, key: str, path: Path) -> None:
        """Put a file under a key, in place of one that was there.

        Raises DestinationRefused, DestinationUnavailable.
        """
        ...


class CloudTargets:
    """Buckets of S3 and of Google Cloud Storage.

    S3: this server's own AWS identity, found as AWS's tools do, assumes the destination's role. A service
    that speaks S3 and STS takes Amazon's place by AWS_ENDPOINT_URL. GCS: `gcs_token_file` holds the token
    that says who this server is, as OIDC issuers write it; it is exchanged for one of Google's.
    google, gcs_url: Google's addresses, or others that tests listen on.
    """

    def __init__(
        self,
        gcs_token_file: str | None = None,
        google: Mapping[str, str] = GOOGLE,
        gcs_url: str | None = None,
    ) -> None:
        self._gcs_token_file = gcs_token_file
        self._google = google
        self._gcs_url = gcs_url

    def put(self, org_id: str, destination: ExportDestination, key: str, path: Path) -> None:
        """Put a file; see the interface."""
        if destination.destination_type is DestinationType.S3:
            with _aws(destination), path.open("rb") as file:
                _bucket_client(org_id, destination).upload_fileobj(file, destination.bucket_name, key)
        else:
            with _google(destination), path.open("rb") as file:
                obstore.put(self._gcs_store(destination), key, file)

    def _gcs_store(self, destination: ExportDestination) -> Any:
        if self._gcs_token_file is None:
            message = "This server has no identity for Google: its operator sets TALLYSTICK_GCS_TOKEN_FILE."
            raise DestinationRefused(message)
        more: dict[str, Any] = {}
        if self._gcs_url is not None:
            more = {"base_url": self._gcs_url, "client_options": {"allow_http": True}}
        credentials = self._gcs_credentials(destination, self._gcs_token_file)
        provider = GoogleCredentialProvider(credentials=credentials)
        return GCSStore(destination.bucket_name, credential_provider=provider, **more)

    def _gcs_credentials(self, destination: ExportDestination, token_file: str) -> Any:
        project = f"projects/{destination.project_number}/locations/global"
        pool = f"{project}/workloadIdentityPools/{destination.pool_id}"
        email = destination.service_account_email
        return Credentials(  # type: ignore[no-untyped-call] # google-auth is typed in part
            audience=f"//iam.googleapis.com/{pool}/providers/{destination.provider_id}",
            subject_token_type="urn:ietf:params:oauth:token-type:jwt",  # noqa: S106 - a type's name
            token_url=self._google["token_url"],
            credential_source={"file": token_file},
            service_account_impersonation_url=(
                f"{self._google['impersonation_url']}/{email}:generateAccessToken" if email else None
            ),
            scopes=["https://www.googleapis.com/auth/devstorage.read_write"],
        )


def _bucket_client(org_id: str, destination: ExportDestination) -> Any:
    """Assume the destination's role and open its bucket, in the bucket's region.

    The external id is the organization's: a role lets in those that know it, not whoever names the role.
    """
    region = boto3.Session().region_name or FIRST_REGION
    role = (
        boto3.Session(region_name=region)
        .client("sts")
        .assume_role(RoleArn=destination.iam_role_arn, RoleSessionName=ROLE_SESSION, ExternalId=org_id)[
            "Credentials"
        ]
    )
    own = boto3.Session(
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
        region_name=region,
    )
    head = own.client("s3").head_bucket(Bucket=destination.bucket_name)
    region = head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return own.client("s3", region_name=region)


@contextmanager
def _aws(destination: ExportDestination) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in _MAY_PASS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise DestinationUnavailable(_told(destination, error)) from error
        raise DestinationRefused(_told(destination, error)) from error
    except NoCredentialsError as error:
        message = "This server has no AWS identity to assume the role with: its operator gives it one."
        raise DestinationRefused(message) from error
    except BotoCoreError as error:
        raise DestinationUnavailable(_told(destination, error)) from error


@contextmanager
def _google(destination: ExportDestination) -> Iterator[None]:
    try:
        yield
    except _GOOGLE_REFUSES as error:
        raise DestinationRefused(_told(destination, error)) from error
    except (BaseError, GoogleAuthError, OSError) as error:
        raise DestinationUnavailable(_told(destination, error)) from error


def _told(destination: ExportDestination, error: Exception) -> str:
    return f"The destination {destination.code} did not take the file: {str(error).splitlines()[0][:500]}"
