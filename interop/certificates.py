"""Makes the certificates that the suites use: `python certificates.py FOLDER`.

Writes `ca.pem` (an authority made for this one run), and `server.pem` with `server.key` (localhost and 127.0.0.1).
"""

import pathlib
import sys

import trustme


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server.private_key_pem.write_to_path(str(folder / "server.key"))
    chain = b"".join(part.bytes() for part in server.cert_chain_pems)
    (folder / "server.pem").write_bytes(chain)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
