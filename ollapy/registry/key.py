"""The ed25519 key that registries know this user by, in OpenSSH's format."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ollapy.errors import OllapyError


class Key:
    """Signs requests for tokens. The file is made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sign(self, method: str, url: str) -> str:
        """The Authorization header of a request without a body: public key and signature."""
        # half a second to import, and only some registries want it
        from cryptography.hazmat.primitives import serialization as ssh
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = ssh.load_ssh_private_key(self._read(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise OllapyError("the key id_ed25519 is of another kind, move it away")
        public = key.public_key().public_bytes(
            ssh.Encoding.OpenSSH, ssh.PublicFormat.OpenSSH
        )
        empty = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
        signature = key.sign(f"{method},{url},{empty}".encode())
        return f"{public.split()[1].decode()}:{base64.b64encode(signature).decode()}"

    def _read(self) -> bytes:
        try:
            with suppress(FileNotFoundError):
                return self._path.read_bytes()
            return self._create()
        except OSError as exc:
            raise OllapyError(
                f"the key that registries know you by could not be used: {exc.strerror}"
            ) from exc

    def _create(self) -> bytes:
        from cryptography.hazmat.primitives import serialization as ssh
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            ssh.Encoding.PEM, ssh.PrivateFormat.OpenSSH, ssh.NoEncryption()
        )
        public = key.public_key().public_bytes(
            ssh.Encoding.OpenSSH, ssh.PublicFormat.OpenSSH
        )
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
            file.write(private)
        self._path.with_suffix(".pub").write_bytes(public + b"\n")
        return private
