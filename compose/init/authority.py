"""A certificate authority of the stack's own, and the MySQL server certificate it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
SERVER_DAYS = 825
RENEW_DAYS = 90  # renewed when less than this is left, by the next start of the stack


class Keep(Protocol):
    """Return a stored text by name; make it when it is missing or not good."""

    def __call__(
        self, name: str, make: Callable[[], str], good: Callable[[str], bool] = ...
    ) -> str:
        """See `init.keep`."""


@dataclass(frozen=True)
class Pair:
    """A private key and its certificate, both PEM, stored as one text so that they always match."""

    key: str
    certificate: str

    @classmethod
    def parse(cls, text: str) -> Pair:
        """Take apart what `str(pair)` put together."""
        end = text.index("-----BEGIN CERTIFICATE-----")
        return cls(text[:end], text[end:])

    def __str__(self) -> str:
        return self.key + self.certificate


class Authority:
    """The stack's certificate authority, kept under the name `authority`."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._pair = Pair.parse(keep("authority", _new_authority))

    @property
    def certificate(self) -> str:
        """The authority's certificate, which clients verify against."""
        return self._pair.certificate

    def server(self, names: list[str]) -> Pair:
        """Return a server certificate for `names`; renew it when it lacks one or soon expires."""
        return Pair.parse(self._keep("server", lambda: self._sign(names), self._serves(names)))

    def _serves(self, names: list[str]) -> Callable[[str], bool]:
        def good(text: str) -> bool:
            certificate = x509.load_pem_x509_certificate(Pair.parse(text).certificate.encode())
            left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
            san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            return list(san) == _alternative_names(names) and left.days >= RENEW_DAYS

        return good

    def _sign(self, names: list[str]) -> str:
        issuer = x509.load_pem_x509_certificate(self._pair.certificate.encode())
        issuer_key = load_pem_private_key(self._pair.key.encode(), password=None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101  (narrows the type)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder("poolsight mysql", issuer.subject, key, SERVER_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(_alternative_names(names)), critical=False)
            .add_extension(_issued_by(issuer_key), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        return str(_pair(key, certificate))


def _new_authority() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "poolsight authority")])
    certificate = (
        _builder("poolsight authority", name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return str(_pair(key, certificate))


def _builder(
    common_name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour back, for clocks that disagree.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=days))
        # Python 3.13 verifies strictly and wants the key identifiers.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _issued_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(names: list[str]) -> list[x509.GeneralName]:
    return [_alternative_name(name) for name in names]


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Pair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(private.decode(), certificate.public_bytes(Encoding.PEM).decode())
