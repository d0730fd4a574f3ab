#!/usr/bin/env bash
# Makes the backup beside this script, in version 1 of the format, with OpenSSL 3 and without Keyside. The key is used
# nowhere; it is sealed under the passphrase "Correct-4-horse" with a derivation that costs next to nothing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

openssl req -x509 -newkey rsa:2048 -noenc -keyout root.key -days 36500 -subj '/C=US/O=Example/CN=Example Root CA' \
    -addext 'keyUsage = critical, keyCertSign' -out root.pem 2>openssl.log
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem
openssl req -new -utf8 -key key.pem -subj '/C=US/O=Example/CN=Zoë Example' \
    -addext 'subjectAltName = email:zoe@example.com' -out request.pem
openssl x509 -req -in request.pem -CA root.pem -CAkey root.key -days 36500 -copy_extensions copy -out leaf.pem 2>openssl.log
{
    cat <<'TEXT'
KEYSIDE BACKUP

Whatever stands here is for people.

Backup Version: 1
Transaction ID: 000-000-000-000-000-000-000-000-011
Submitted At: 2027-01-15T08:00:01Z
State: issued
Certificate Type: participants
Certificate Type Name: Participants & External Users
Common Name: Zoë Example
Email Address: zoe@example.com
Key Size: 2048
Created At: 2027-01-15T08:00:00Z

TEXT
    openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt -scrypt_N 16 -scrypt_r 1 -scrypt_p 1 -passout pass:Correct-4-horse -in key.pem
    cat request.pem leaf.pem root.pem
} >contents
{
    cat contents
    echo "SHA-256: $(sha256sum <contents | cut -d ' ' -f 1)"
} >"$here/collected.txt"
