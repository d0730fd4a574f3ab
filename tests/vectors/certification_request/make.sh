#!/usr/bin/env bash
# Makes the CertificationRequest beside this script, with OpenSSL 3. The key is thrown away.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
openssl req -new -newkey rsa:2048 -noenc -keyout /dev/null -subj '/C=US/O=Example/CN=Ada Example' \
    -addext 'subjectAltName = email:ada@example.com' -outform DER -out "$here/request.der"
