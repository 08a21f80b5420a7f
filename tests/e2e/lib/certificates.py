"""Certificates of a test: authorities, and what they sign."""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(text):
    """A name of a subjectAltName, from how it is written."""
    if text.startswith("sip:"):
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(key):
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def key_of(certificate):
    """The path of the key beside a certificate."""
    return certificate.replace(".pem", ".key")


def server_context(certificate):
    """What a peer shows to who connects to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_of(certificate))
    return context


class Authority:
    """An authority of its own."""

    def __init__(self, site, name):
        self.site = site
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._build(name, self.key.public_key(), [], name, days=(-1, 30),
                                       authority=True)
        self.path = site.write(f"{name}.pem", self._text(self.certificate))

    @staticmethod
    def _text(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _build(self, subject, public_key, names, issuer, days, authority=False):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder()
                   .subject_name(_name(subject)).issuer_name(_name(issuer))
                   .public_key(public_key).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1]))
                   .add_extension(x509.BasicConstraints(authority, None), True))
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, file, names, days=(-1, 30), subject="trunk"):
        """Writes FILE.pem and FILE.key; names: of the subjectAltName. The path of the first."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._build(subject, key.public_key(), names, self.name, days)
        self.site.write(f"{file}.key", _pem(key))
        return self.site.write(f"{file}.pem", self._text(certificate))

    def listen(self, file, names):
        """The `tls` of a listener that shows such a certificate and believes this authority."""
        certificate = self.issue(file, names)
        return {"certificate": certificate, "key": key_of(certificate), "ca": self.path}

    def client_context(self, certificate=None):
        """Of a peer that believes this authority, and what it shows when it connects."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.path)
        if certificate:
            context.load_cert_chain(certificate, key_of(certificate))
        return context
