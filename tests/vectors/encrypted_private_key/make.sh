#!/usr/bin/env bash
# Makes the EncryptedPrivateKeyInfos beside this script, with OpenSSL 3: a key that is used nowhere, under the
# passphrase "Correct-4-horse", with derivations that cost next to nothing, so that thousands of variants can be tried.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
key=$(openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048)
seal() { openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:Correct-4-horse -outform DER "$@" <<<"$key"; }
seal -v2prf hmacWithSHA256 -iter 1 -out "$here/pbkdf2.der"
seal -scrypt -scrypt_N 16 -scrypt_r 1 -scrypt_p 1 -out "$here/scrypt.der"
