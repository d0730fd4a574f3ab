#!/usr/bin/env bash
# Makes the files beside this script with OpenSSL 3 and Java 17: every kind that can be inspected. The keys are used nowhere; what is
# encrypted opens with "Correct-4-horse", with derivations that cost next to nothing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

openssl req -x509 -newkey rsa:2048 -noenc -keyout root.key -days 36500 -subj '/C=US/O=Example/CN=Example Root CA' \
    -addext 'keyUsage = critical, keyCertSign, cRLSign' -out root.pem 2>openssl.log
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
openssl req -new -utf8 -key rsa.pem -subj '/C=US/O=Example/CN=Ada Example' -out request.pem \
    -addext 'subjectAltName = email:ada@example.com, DNS:ada.example.com, IP:192.0.2.1' \
    -addext 'keyUsage = digitalSignature, keyEncipherment' -addext 'extendedKeyUsage = clientAuth, emailProtection, 1.3.6.1.4.1.311.20.2.2'
openssl x509 -req -in request.pem -CA root.pem -CAkey root.key -days 36500 -copy_extensions copy -out leaf.pem 2>openssl.log
openssl x509 -req -in request.pem -CA root.pem -CAkey root.key -days 36500 -sha1 -out sha_1.pem 2>openssl.log
openssl pkcs8 -topk8 -in rsa.pem -passout pass:Correct-4-horse -iter 2 -out encrypted.pem

# Everything of one person in one file, and the same in pieces.
cat leaf.pem rsa.pem root.pem request.pem >"$here/bundle.pem"
cat encrypted.pem leaf.pem >"$here/locked.pem"
cp root.pem "$here/root.pem"
cp sha_1.pem "$here/sha_1.pem"
openssl x509 -in leaf.pem -outform DER -out "$here/leaf.cer"
openssl req -in request.pem -outform DER -out "$here/request.csr"
openssl pkcs8 -topk8 -in rsa.pem -nocrypt -outform DER -out "$here/pkcs8.key"
openssl rsa -in rsa.pem -traditional -out "$here/pkcs1.pem" 2>openssl.log
openssl rsa -in rsa.pem -traditional -outform DER -out "$here/pkcs1.key" 2>openssl.log
openssl rsa -in rsa.pem -traditional -aes256 -passout pass:Correct-4-horse -out "$here/old.pem" 2>openssl.log
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in rsa.pem -passout pass:Correct-4-horse -iter 2 -outform DER -out "$here/triple_des.key"
openssl pkcs8 -topk8 -provider legacy -provider default -v1 PBE-MD5-DES -in rsa.pem -passout pass:Correct-4-horse -iter 2 -out "$here/md5_des.pem"
openssl pkey -in rsa.pem -pubout -out "$here/public_key.pem"
openssl x509 -in leaf.pem -outform DER | base64 >"$here/unlabelled.txt"
openssl crl2pkcs7 -nocrl -certfile leaf.pem -certfile root.pem -out "$here/chain.p7b"
openssl crl2pkcs7 -nocrl -certfile leaf.pem -certfile root.pem -outform DER -out "$here/chain.der.p7b"

: >index.txt
echo 1000 >number
cat >ca.cnf <<'CNF'
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 36500
CNF
openssl ca -config ca.cnf -cert root.pem -keyfile root.key -revoke leaf.pem 2>openssl.log
openssl ca -config ca.cnf -cert root.pem -keyfile root.key -gencrl -out "$here/revoked.crl" 2>openssl.log

# A request with a challenge password, from a small key; and the same, changed.
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.pem
cat >challenge.cnf <<'CNF'
[req]
prompt = no
distinguished_name = name
attributes = attributes
[name]
CN = Ada Example
[attributes]
challengePassword = readable
CNF
openssl req -new -config challenge.cnf -key small.pem -outform DER -out "$here/small.csr"
sed "s/Ada Example/Eve Example/" "$here/small.csr" >"$here/changed.csr"

# Elliptic curves.
openssl ecparam -name prime256v1 -genkey -out ec.pem
openssl req -x509 -key ec.pem -days 36500 -subj '/CN=Curved Root' -addext 'keyUsage = critical, keyCertSign' -out ec_root.pem
openssl ecparam -name secp384r1 -genkey -noout -out ec_leaf.pem
openssl req -new -key ec_leaf.pem -subj '/CN=Curved' -out ec_request.pem
openssl x509 -req -in ec_request.pem -CA ec_root.pem -CAkey ec.pem -days 36500 -out ec_certificate.pem 2>openssl.log
cat ec_leaf.pem ec_certificate.pem ec_request.pem ec_root.pem >"$here/elliptic_curve.pem"
openssl pkcs8 -topk8 -nocrypt -in ec_leaf.pem -outform DER -out "$here/elliptic_curve.key"
openssl genpkey -quiet -algorithm ED25519 -out "$here/ed25519.pem"
chmod 644 "$here"/*.key "$here"/*.pem
