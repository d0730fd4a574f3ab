#!/usr/bin/env bash
# Makes the certificates beside this script, with OpenSSL 3. The keys are thrown away; no test depends on their bytes.
# Everything is valid from 2026 until 2126 unless its name says otherwise; the tests name the time they check at.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >ca.cnf <<'CONFIGURATION'
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = anything
unique_subject = no
preserve = yes
rand_serial = yes
[anything]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = subject
[subject]
CONFIGURATION
touch index.txt

rsa_key() { openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key"; }

# certificate FILE SUBJECT SUBJECT_KEY ISSUER_CERTIFICATE|- ISSUER_KEY EXTENSIONS [NOT_BEFORE NOT_AFTER]
# “-” makes it self-signed.
certificate() {
    local file=$1 subject=$2 key=$3 issuer=$4 issuer_key=$5 extensions=$6
    local not_before=${7:-20260101000000Z} not_after=${8:-21260101000000Z}
    openssl req -config ca.cnf -new -utf8 -key "$key.key" -subj "$subject" -out request.pem
    printf '%s\n' "$extensions" >extensions.cnf
    local signer=(-cert "$issuer.pem" -keyfile "$issuer_key.key")
    [ "$issuer" = - ] && signer=(-selfsign -keyfile "$key.key")
    openssl ca -config ca.cnf -batch -notext "${signer[@]}" -in request.pem -extfile extensions.cnf \
        -startdate "$not_before" -enddate "$not_after" -out "$file.pem" 2>openssl.log || { cat openssl.log >&2; exit 1; }
    openssl x509 -in "$file.pem" -outform DER -out "$here/$file.der"
}

ca=$'basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign'
end_entity=$'basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = clientAuth'
root_name='/C=US/O=Example/CN=Example Root CA'
issuing_name='/C=US/O=Example/CN=Example Issuing CA'
leaf_name='/C=US/O=Example/CN=Ada Example'

for key in root unrelated issuing leaf limited below_limited cross_a cross_b; do rsa_key $key; done

certificate root "$root_name" root - - "$ca"
certificate unrelated_root '/C=US/O=Example/CN=Unrelated Root CA' unrelated - - "$ca"
certificate namesake_root "$root_name" unrelated - - "$ca"
certificate issuing "$issuing_name" issuing root root "${ca/CA:TRUE/CA:TRUE, pathlen:0}"
certificate leaf "$leaf_name" leaf issuing issuing "$end_entity"
certificate self_signed_leaf "$leaf_name" leaf - - "$end_entity"
certificate leaf_with_unknown_critical_extension "$leaf_name" leaf issuing issuing \
    "$end_entity"$'\n1.3.6.1.4.1.99999.1 = critical, ASN1:NULL'

# The issuing CA once more, each time with one thing wrong: the key is the same, so that the leaf's signature fits.
certificate issuing_of_another_name '/C=US/O=Example/CN=Example Other CA' issuing root root "$ca"
certificate issuing_expired "$issuing_name" issuing root root "$ca" 20000101000000Z 20010101000000Z
certificate issuing_not_a_ca "$issuing_name" issuing root root "${ca/TRUE/FALSE}"
certificate issuing_without_basic_constraints "$issuing_name" issuing root root 'keyUsage = critical, keyCertSign, cRLSign'
certificate issuing_without_key_cert_sign "$issuing_name" issuing root root "${ca/keyCertSign, /}"
certificate issuing_with_unknown_critical_extension "$issuing_name" issuing root root \
    "$ca"$'\n1.3.6.1.4.1.99999.1 = critical, ASN1:NULL'

# A CA below one whose path length is 0.
certificate limited '/C=US/O=Example/CN=Limited CA' limited root root "${ca/CA:TRUE/CA:TRUE, pathlen:0}"
certificate below_limited '/C=US/O=Example/CN=CA Below Limited' below_limited limited limited "$ca"
certificate leaf_below_limited "$leaf_name" leaf below_limited below_limited "$end_entity"

# Two CAs that certify each other, and the way out of the circle.
cross_a='/C=US/O=Example/CN=Cross CA A' cross_b='/C=US/O=Example/CN=Cross CA B'
certificate cross_a_self_signed "$cross_a" cross_a - - "$ca"
certificate cross_b_by_a "$cross_b" cross_b cross_a_self_signed cross_a "$ca"
certificate cross_a_by_b "$cross_a" cross_a cross_b_by_a cross_b "$ca"
certificate cross_a_by_root "$cross_a" cross_a root root "$ca"
certificate leaf_by_cross_a "$leaf_name" leaf cross_a_self_signed cross_a "$end_entity"
rm "$here/cross_a_self_signed.der"

# An issuer whose signature algorithm Keyside does not verify.
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ecdsa.key
certificate ecdsa_root '/C=US/O=Example/CN=ECDSA Root CA' ecdsa - - "$ca"
certificate leaf_by_ecdsa "$leaf_name" leaf ecdsa_root ecdsa "$end_entity"
