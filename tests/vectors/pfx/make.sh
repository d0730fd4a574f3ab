#!/usr/bin/env bash
# Makes the PFX files beside this script with OpenSSL 3, Java 17, NSS, GnuTLS and Python, and without Keyside: each has the same key,
# its certificate "Ada Example" and the CA's. The key is used nowhere. The passphrase is "Correct-4-horse" where the name
# does not say another. OpenSSL's have derivations that cost next to nothing, so that thousands of variants can be tried.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

openssl req -x509 -newkey rsa:2048 -noenc -keyout root.key -days 36500 -subj '/C=US/O=Example/CN=Example Root CA' \
    -addext 'keyUsage = critical, keyCertSign' -out root.pem 2>openssl.log
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem
openssl req -new -key key.pem -subj '/C=US/O=Example/CN=Ada Example' -out request.pem
openssl x509 -req -in request.pem -CA root.pem -CAkey root.key -days 36500 -out leaf.pem 2>openssl.log
openssl x509 -in leaf.pem -outform DER -out "$here/leaf.der"
openssl x509 -in root.pem -outform DER -out "$here/root.der"
openssl pkey -in key.pem -pubout -outform DER -out "$here/public_key.der"

export_as() {
    local name=$1 passphrase=$2
    shift 2
    openssl pkcs12 -export -inkey key.pem -in leaf.pem -certfile root.pem -name 'Ada Example' -iter 2 \
        -passout "pass:$passphrase" -out "$here/$name.p12" "$@"
}
export_as openssl Correct-4-horse
export_as openssl_sha_512 Correct-4-horse -macalg sha512 -keypbe aes-128-cbc -certpbe aes-192-cbc
export_as openssl_legacy Correct-4-horse -legacy
export_as openssl_two_key_triple_des Correct-4-horse -legacy -keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-RC2-128
export_as openssl_rc4 Correct-4-horse -legacy -keypbe PBE-SHA1-RC4-128 -certpbe PBE-SHA1-RC4-40
export_as openssl_pbes2_triple_des Correct-4-horse -keypbe des-ede3-cbc -certpbe des-ede3-cbc
export_as openssl_no_mac Correct-4-horse -nomac
export_as openssl_clear Correct-4-horse -keypbe NONE -certpbe NONE
export_as openssl_clear_no_mac Correct-4-horse -keypbe NONE -certpbe NONE -nomac
export_as openssl_utf_8 'Grüße, 漢字 🔑 4'
export_as openssl_legacy_utf_8 'Grüße, 漢字 🔑 4' -legacy
export_as openssl_empty ''
export_as openssl_legacy_empty '' -legacy

keytool -importkeystore -noprompt -srcstoretype PKCS12 -srckeystore "$here/openssl.p12" -srcstorepass Correct-4-horse \
    -deststoretype PKCS12 -destkeystore "$here/java.p12" -deststorepass Correct-4-horse 2>keytool.log
keytool -J-Dkeystore.pkcs12.legacy -importkeystore -noprompt -srcstoretype PKCS12 -srckeystore "$here/openssl.p12" \
    -srcstorepass Correct-4-horse -deststoretype PKCS12 -destkeystore "$here/java_legacy.p12" -deststorepass Correct-4-horse 2>keytool.log

mkdir database
certutil -N -d sql:database --empty-password
pk12util -i "$here/openssl.p12" -d sql:database -W Correct-4-horse >nss.log
pk12util -o "$here/nss.p12" -n 'Ada Example' -d sql:database -W Correct-4-horse >nss.log
pk12util -o "$here/nss_utf_8.p12" -n 'Ada Example' -d sql:database -W 'Grüße, 漢字 4' >nss.log
pk12util -o "$here/nss_legacy.p12" -n 'Ada Example' -d sql:database -W Correct-4-horse \
    -c 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' -C 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC' -M SHA-1 >nss.log

certtool --to-p12 --load-privkey key.pem --load-certificate leaf.pem --load-ca-certificate root.pem --p12-name 'Ada Example' \
    --password Correct-4-horse --outder --outfile "$here/gnutls.p12" 2>gnutls.log
# OpenSSL writes PBMAC1 (RFC 9579) from 3.4 on; here Python's own hashlib and hmac put it on the file that has no MAC.
python3 - "$here/openssl_no_mac.p12" "$here/python_pbmac1.p12" <<'PYTHON'
import hashlib, hmac, os, sys

def element(tag, *contents):
    contents = b"".join(contents)
    size = len(contents)
    length = bytes([size]) if size < 0x80 else b"\x81" + bytes([size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + contents

def header_size(der):
    return 2 if der[1] < 0x80 else 2 + der[1] - 0x80

pfx = open(sys.argv[1], "rb").read()
content = pfx[header_size(pfx):]
# The version, then a ContentInfo: object identifier, [0], OCTET STRING.
safe = content[3:]
safe = safe[header_size(safe):][11:]
safe = safe[header_size(safe):]
safe = safe[header_size(safe):]
salt = os.urandom(8)
mac = hmac.digest(hashlib.pbkdf2_hmac("sha256", b"Correct-4-horse", salt, 2, 32), safe, "sha256")
hmac_with_sha_256 = element(0x30, bytes.fromhex("06082a864886f70d0209"), b"\x05\x00")
derivation = element(0x30, bytes.fromhex("06092a864886f70d01050c"),
    element(0x30, element(0x04, salt), b"\x02\x01\x02", b"\x02\x01\x20", hmac_with_sha_256))
pbmac1 = element(0x30, bytes.fromhex("06092a864886f70d01050e"), element(0x30, derivation, hmac_with_sha_256))
mac_data = element(0x30, element(0x30, pbmac1, element(0x04, mac)), element(0x04, b"NOT USED"), b"\x02\x01\x01")
open(sys.argv[2], "wb").write(element(0x30, content, mac_data))
PYTHON

chmod 644 "$here"/*.p12
